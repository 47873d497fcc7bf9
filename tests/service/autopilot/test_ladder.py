"""The levels of a request."""

import itertools

import pytest

from model_store.budget import Budget, BudgetKind
from model_store.pricing import cost_model
from model_store.published import PublishedModel
from model_store.request import SubnetRequest
from model_store.subnetwork import choose
from service.autopilot.ladder import budgets


@pytest.mark.parametrize(
    ("kind", "value"),
    [("gmacs", 0.004), ("fraction", 0.8), ("parameters", 9000), ("size_bytes", 60_000)],
)
def test_levels_go_from_what_was_asked_to_the_smallest_and_all_are_feasible(
    tiny: PublishedModel, kind: BudgetKind, value: float
) -> None:
    tasks = ("depth", "edges")
    request = SubnetRequest.of(tiny, Budget(kind, value), {"depth": 1.0}, tasks)
    found = budgets(tiny, request, 4)
    assert len(found) == 5
    assert found[0] == request.budget
    assert all(a.value >= b.value for a, b in itertools.pairwise(found))
    cost = cost_model(tiny, request).for_tasks(tasks)
    for budget in found:
        below = SubnetRequest.of(tiny, budget, request.preference, tasks)
        assert cost.of(choose(tiny, below).architecture) <= below.counts(cost.unit)
    last = SubnetRequest.of(tiny, found[-1], request.preference, tasks)
    assert cost.of(choose(tiny, last).architecture) == cost.of(tiny.space.smallest())


def test_what_is_the_smallest_already_has_no_lower_level(tiny: PublishedModel) -> None:
    least = tiny.cost.of(tiny.space.smallest()) / 1e9
    request = SubnetRequest.of(tiny, least, {})
    assert set(budgets(tiny, request, 4)) == {request.budget}

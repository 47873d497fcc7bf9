"""Budgets of five kinds, and how requests with them are known."""

import math

import pytest

from model_store.budget import Budget, BudgetKind
from model_store.published import PublishedModel
from model_store.request import SubnetRequest
from model_store.subnet.search import InfeasibleBudget
from model_store.subnetwork import choose

KINDS: tuple[BudgetKind, ...] = ("gmacs", "fraction", "parameters", "size_bytes")


def digest(model: PublishedModel, kind: BudgetKind, value: float) -> str:
    return SubnetRequest.of(model, Budget(kind, value), {}).digest(model)


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
@pytest.mark.parametrize("kind", [*KINDS, "latency_ms"])
def test_a_budget_is_a_positive_number(kind: BudgetKind, value: float) -> None:
    with pytest.raises(ValueError, match="must be a positive number"):
        Budget(kind, value)


def test_a_fraction_is_at_most_the_whole() -> None:
    assert Budget("fraction", 1.0).value == 1.0
    with pytest.raises(ValueError, match=r"fraction in \(0, 1\], found 1.01"):
        Budget("fraction", 1.01)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="a budget is one of"):
        Budget("watts", 1.0)  # type: ignore[arg-type]


def test_the_kind_is_part_of_the_request(tiny: PublishedModel) -> None:
    assert len({digest(tiny, kind, 1.0) for kind in KINDS}) == len(KINDS)


def test_a_fraction_is_the_same_request_as_the_gmacs_that_it_stands_for(
    tiny: PublishedModel,
) -> None:
    half = round(0.5 * tiny.cost.of(tiny.space.largest())) / 1e9
    assert digest(tiny, "fraction", 0.5) == digest(tiny, "gmacs", half)


def test_a_plain_number_is_one_of_gmacs(tiny: PublishedModel) -> None:
    assert SubnetRequest.of(tiny, 0.004, {}).digest(tiny) == digest(tiny, "gmacs", 0.004)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_too_little_is_refused_with_the_range_in_its_own_unit(
    tiny: PublishedModel, kind: BudgetKind
) -> None:
    with pytest.raises(InfeasibleBudget, match="budgets lie between") as refusal:
        choose(tiny, SubnetRequest.of(tiny, Budget(kind, 1e-6), {}))
    unit = refusal.value.unit
    assert unit.name == kind
    for edge in (refusal.value.least, refusal.value.most):
        choose(tiny, SubnetRequest.of(tiny, Budget(kind, edge / unit.scale), {}))


def test_latency_without_a_profile_is_refused_with_what_to_run(tiny: PublishedModel) -> None:
    with pytest.raises(ValueError, match="run `slimdial profile tiny`"):
        SubnetRequest.of(tiny, Budget("latency_ms", 5.0), {})

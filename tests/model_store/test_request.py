"""Requests: canonical, checked against a model, and known by their digests."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_store.published import PublishedModel
from model_store.request import SubnetRequest
from model_store.subnet.cost import GMACS, Unit

TASKS = ("animals", "semseg", "depth", "normals", "edges", "saliency")


def request(model: PublishedModel, **changes: Any) -> SubnetRequest:  # noqa: ANN401
    given = {"budget": 0.004, "preference": {"semseg": 1.0, "depth": 0.2}, **changes}
    return SubnetRequest.of(model, **given)


def test_by_default_all_tasks_are_kept_and_unnamed_ones_have_no_preference(
    tiny: PublishedModel,
) -> None:
    found = request(tiny)
    assert found.tasks == TASKS
    assert dict(found.preference) == {t: {"semseg": 1.0, "depth": 0.2}.get(t, 0.0) for t in TASKS}
    assert (found.search, found.precision) == ("evolution", "fp32")


@pytest.mark.parametrize(
    "same",
    [
        {"preference": {"depth": 0.2, "semseg": 1}},
        {"preference": {"depth": 0.2, "semseg": 1.0, "edges": -0.0}},
        {"tasks": TASKS[::-1]},
        {"tasks": (*TASKS, "depth")},
        {"budget": 4e-3},
    ],
)
def test_ways_of_saying_the_same_have_one_digest(tiny: PublishedModel, same: Any) -> None:  # noqa: ANN401
    assert request(tiny, **same).digest(tiny) == request(tiny).digest(tiny)
    assert request(tiny, **same) == request(tiny)


@pytest.mark.parametrize(
    "other",
    [
        {"budget": 0.005},
        {"preference": {"semseg": 1.0}},
        {"tasks": ("semseg", "depth")},
        {"search": "ecmt"},
    ],
)
def test_other_requests_have_other_digests(tiny: PublishedModel, other: Any) -> None:  # noqa: ANN401
    assert request(tiny, **other).digest(tiny) != request(tiny).digest(tiny)


def test_preferences_for_dropped_tasks_have_no_effect(tiny: PublishedModel) -> None:
    kept = request(tiny, tasks=("semseg",), preference={"semseg": 1.0})
    assert request(tiny, tasks=("semseg",)).digest(tiny) == kept.digest(tiny)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"tasks": ("sound",)}, r"unknown tasks \['sound'\]; this model has \['animals'"),
        ({"preference": {"sound": 1.0}}, r"unknown tasks \['sound'\]"),
        ({"tasks": ()}, "at least one task"),
        ({"preference": {"depth": 1.1}}, r"lie in \[0, 1\], found 1.1 for 'depth'"),
        ({"preference": {"depth": -0.1}}, r"lie in \[0, 1\]"),
        ({"preference": {"depth": math.nan}}, r"lie in \[0, 1\], found nan"),
        ({"budget": 0.0}, "positive number of GMACs"),
        ({"budget": -1.0}, "positive number of GMACs"),
        ({"budget": math.nan}, "positive number of GMACs"),
        ({"budget": math.inf}, "positive number of GMACs"),
        ({"search": "magic"}, "search is one of"),
        ({"precision": "fp64"}, "precision is one of"),
    ],
)
def test_a_wrong_request_is_refused_with_what_would_be_right(
    tiny: PublishedModel,
    wrong: Any,  # noqa: ANN401
    reason: str,
) -> None:
    with pytest.raises(ValueError, match=reason):
        request(tiny, **wrong)


@pytest.mark.parametrize("macs", [1, 635_484, 73_051_123, 9_431_200_001, 2**52 + 1])
def test_a_reported_cost_is_a_budget_that_it_fits(tiny: PublishedModel, macs: int) -> None:
    assert request(tiny, budget=macs / 1e9).counts(GMACS) == macs


@given(value=st.floats(1e-6, 1e3), full=st.integers(1, 2**40))
def test_no_budget_is_exceeded_by_a_fraction_of_a_count(
    tiny: PublishedModel, value: float, full: int
) -> None:
    for scale in (1e9, float(full)):
        found = request(tiny, budget=value).counts(Unit("some", "of something", scale))
        assert found / scale <= value < (found + 1) / scale


def test_a_huge_budget_stays_a_number_that_the_search_can_hold(tiny: PublishedModel) -> None:
    assert request(tiny, budget=1e300).counts(GMACS) == 2**53

"""The decoders of a search: those of Eq. 4, shrunk where they cannot fit."""

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_store.subnet.cost import CostModel, CostTerm
from model_store.subnet.preference import Preference
from model_store.subnet.problem import Problem
from model_store.subnet.space import Group, SearchSpace
from tests.model_store.subnet.searches import COST, SPACE, Case, cases, wider_is_better

# An encoder of 1 or 2 channels and three decoders of 1 to 4, one MAC a channel.
PLAIN = SearchSpace(
    (
        Group.of("stage", 2, (0.5, 1.0), 1),
        *(Group.of(t, 4, (0.25, 0.5, 0.75, 1.0), 1, task=t) for t in ("a", "b", "c")),
    )
)
PLAIN_COST = CostModel(
    PLAIN,
    [CostTerm(1, 1, (1,), ("stage",)), *(CostTerm(1, 1, (1,), (t,), t) for t in PLAIN.tasks)],
)


def start(budget: int, tau: Mapping[str, float]) -> list[int]:
    """Channels of the start: encoder, then decoders a, b, c."""
    problem = Problem(PLAIN_COST, wider_is_better, budget, Preference.of(PLAIN, tau, None))
    return list(PLAIN.architecture(problem.start_G).channels)


@pytest.mark.parametrize(
    ("budget", "channels"),
    [
        (20, [1, 4, 3, 1]),  # Eq. 4: widths 1, 0.75 (0.25 + 0.75 * 2/3) and 0.25
        (9, [1, 4, 3, 1]),
        (8, [1, 4, 2, 1]),  # the least preferred, c, has nothing to give: b shrinks first
        (7, [1, 4, 1, 1]),
        (6, [1, 3, 1, 1]),  # and the most preferred last
        (4, [1, 1, 1, 1]),
    ],
)
def test_decoders_shrink_least_preferred_first(budget: int, channels: list[int]) -> None:
    assert start(budget, {"a": 0.9, "b": 0.6, "c": 0.0}) == channels


@pytest.mark.parametrize(
    ("budget", "channels"), [(13, [1, 4, 4, 4]), (12, [1, 3, 3, 3]), (9, [1, 2, 2, 2])]
)
@pytest.mark.parametrize("tau", [{}, {"a": 0.5, "b": 0.5, "c": 0.5}])
def test_equally_preferred_decoders_shrink_together(
    budget: int, channels: list[int], tau: Mapping[str, float]
) -> None:
    assert start(budget, tau) == channels


populations = st.lists(
    st.tuples(*(st.integers(0, len(g.channels) - 1) for g in SPACE.groups)), min_size=1, max_size=70
).map(lambda rows: np.array(rows, dtype=np.int64))


@given(case=cases(), choices_PG=populations)
@settings(max_examples=50)
def test_encoders_get_the_first_decoders_of_the_path_that_fit(
    case: Case, choices_PG: np.ndarray
) -> None:
    problem = case.problem()
    kept_PG = np.minimum(choices_PG, problem.top_G)  # dropped decoders stand at their smallest
    for choices_G in problem.with_decoders(kept_PG).tolist():
        encoder = choices_G[: len(SPACE.encoder)]
        candidates = [(*encoder, *decoders) for decoders in case.path()]
        assert tuple(choices_G) == next(filter(case.fits, candidates), candidates[-1])


def test_encoders_stay_as_they_are() -> None:
    choices_PG = np.random.default_rng(0).integers(0, SPACE.choices_G, size=(70, len(SPACE.groups)))
    found_PG = problem().with_decoders(choices_PG)
    np.testing.assert_array_equal(found_PG[:, SPACE.encoder], choices_PG[:, SPACE.encoder])


def problem(share: float = 0.5) -> Problem:
    return Case("rugged", share, {"animals": 0.2, "depth": 0.7}, SPACE.tasks, seed=0).problem()


@given(choices_PG=populations)
@settings(max_examples=50)
def test_costs_are_those_of_the_cost_model_whatever_the_batch(choices_PG: np.ndarray) -> None:
    found = problem().counts(np.repeat(choices_PG, 3, axis=0))[::3]
    assert found.tolist() == [COST.of(SPACE.architecture(row)) for row in choices_PG]

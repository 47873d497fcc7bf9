"""Repair: what exceeds the budget shrinks just enough."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from model_store.subnet.problem import Choices, Problem
from model_store.subnet.repair import shrink_to_fit
from tests.model_store.subnet.searches import SPACE, Case

some = settings(max_examples=40)


def shrunk(share: float, seed: int) -> tuple[Problem, Choices, Choices]:
    """A problem, random encoders beside decoders of its path, and the same after repair."""
    problem = Case("rugged", share, {}, SPACE.tasks, seed).problem()
    rng = np.random.default_rng(seed)
    before_PG = rng.integers(0, SPACE.choices_G, size=(20, len(SPACE.groups)))
    decoders = list(SPACE.decoders.values())
    steps_P = rng.integers(0, len(problem.path_SG), size=20)
    before_PG[:, decoders] = problem.path_SG[steps_P][:, decoders]
    return problem, before_PG, shrink_to_fit(problem, before_PG, rng)


@given(share=st.floats(0, 1), seed=st.integers(0, 2**32))
@some
def test_everything_fits_afterwards_and_nothing_has_grown(share: float, seed: int) -> None:
    problem, before_PG, after_PG = shrunk(share, seed)
    assert problem.fits(after_PG).all()
    assert np.all((after_PG >= 0) & (after_PG <= before_PG))


@given(share=st.floats(0, 1), seed=st.integers(0, 2**32))
@some
def test_what_fits_is_left_as_it_is(share: float, seed: int) -> None:
    problem, before_PG, after_PG = shrunk(share, seed)
    fitted = problem.fits(before_PG)
    np.testing.assert_array_equal(after_PG[fitted], before_PG[fitted])


@given(share=st.floats(0, 1), seed=st.integers(0, 2**32))
@some
def test_no_more_is_taken_than_needed(share: float, seed: int) -> None:
    # The step taken last is one of the groups that shrank: giving all of them back one step each
    # must exceed the budget again.
    problem, before_PG, after_PG = shrunk(share, seed)
    over = ~problem.fits(before_PG)
    relaxed_PG = after_PG + (after_PG < before_PG)
    assert not problem.fits(relaxed_PG[over]).any()


@given(share=st.floats(0, 1), seed=st.integers(0, 2**32))
@some
def test_decoders_stay(share: float, seed: int) -> None:
    _, before_PG, after_PG = shrunk(share, seed)
    decoders = list(SPACE.decoders.values())
    np.testing.assert_array_equal(after_PG[:, decoders], before_PG[:, decoders])

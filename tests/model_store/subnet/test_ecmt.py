"""The paper's search, ECMT Algorithm 2."""

import numpy as np
import pytest
from hypothesis import given, settings

from model_store.subnet.ecmt import CYCLES, POOL, ecmt, initial_pool
from tests.model_store.subnet.searches import SPACE, Case, cases

some = settings(max_examples=30)


@given(case=cases())
@some
def test_the_pool_is_full_and_within_the_budget_with_the_decoders_of_equation_4(
    case: Case,
) -> None:
    problem = case.problem()
    pool_PG = initial_pool(problem, np.random.default_rng(case.seed))
    assert len(pool_PG) == POOL
    assert problem.fits(pool_PG).all()
    decoders = list(SPACE.decoders.values())
    assert (pool_PG[:, decoders] == problem.start_G[decoders]).all()


def test_the_pool_holds_the_uniform_encoders_that_fit() -> None:
    problem = Case("rugged", 0.6, {"depth": 1.0}, SPACE.tasks, 0).problem()
    pool = {tuple(row) for row in initial_pool(problem, np.random.default_rng(0))[:, SPACE.encoder]}
    # stem, stage: 0.25 0.5 0.75 1; last: 0.5 0.75 1
    assert {(0, 0, 0), (1, 1, 0), (2, 2, 1)} <= pool
    assert (3, 3, 2) not in pool


@given(case=cases())
@some
def test_the_decoders_stay_those_of_equation_4(case: Case) -> None:
    problem = case.problem()
    outcome = ecmt(problem, np.random.default_rng(case.seed))
    decoders = list(SPACE.decoders.values())
    assert (outcome.best_G[decoders] == problem.start_G[decoders]).all()


@given(case=cases())
@some
def test_its_answer_is_among_what_evolution_searches(case: Case) -> None:
    problem = case.problem()
    outcome = ecmt(problem, np.random.default_rng(case.seed))
    found_PG = np.concatenate([outcome.best_G[None], outcome.initial_PG])
    np.testing.assert_array_equal(problem.with_decoders(found_PG), found_PG)


@pytest.mark.parametrize(
    ("preference", "decoders"),
    [
        # Eq. 4 from (0.5, 0.75, 1), (0.25 .. 1) and (0.5, 1):
        ({"animals": 1.0}, (48, 16, 16)),
        ({"animals": 0.0, "depth": 1.0, "edges": 0.3}, (24, 64, 16)),
        ({"animals": 0.5, "depth": 0.6, "edges": 1.0}, (24, 32, 32)),
    ],
)
def test_decoder_widths_by_hand_where_the_budget_allows_them(
    preference: dict[str, float], decoders: tuple[int, ...]
) -> None:
    # In the last row depth is (0.6 - 0.5) / 0.5 = 0.2: 0.25 + 0.75 * 0.2 = 0.4, nearest 0.5.
    architecture = Case("wider is better", 1.0, preference, SPACE.tasks, 0).search("ecmt")
    names = ("decoder.animals", "decoder.depth", "decoder.edges")
    assert tuple(architecture.architecture[n] for n in names) == decoders


@given(case=cases())
@some
def test_the_best_is_no_worse_in_the_preferred_task_than_where_it_started(case: Case) -> None:
    problem = case.problem()
    outcome = ecmt(problem, np.random.default_rng(case.seed))
    preferred_N = problem.preference.most_preferred_N()
    found, *initial = (
        problem.losses_of(np.concatenate([outcome.best_G[None], outcome.initial_PG])) @ preferred_N
    )
    assert found <= min(initial) + 1e-12
    assert outcome.evaluations <= POOL + CYCLES


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.8])
def test_the_encoder_is_the_best_one_for_these_decoders(share: float) -> None:
    # 48 encoders: 200 evaluations of the preferred task find the best of them.
    case = Case("wider is better", share, {"depth": 1.0}, SPACE.tasks, seed=1)
    problem = case.problem()
    feasible_PG = case.feasible()
    decoders = list(SPACE.decoders.values())
    same = (feasible_PG[:, decoders] == problem.start_G[decoders]).all(axis=1)
    best = problem.losses_of(feasible_PG[same])[:, SPACE.tasks.index("depth")].min()
    outcome = ecmt(problem, np.random.default_rng(case.seed))
    found = problem.losses_of(outcome.best_G[None])[0, SPACE.tasks.index("depth")]
    assert found == pytest.approx(best)

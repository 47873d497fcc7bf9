"""Local search: it climbs, stays within the budget, and ends where no step is better."""

import numpy as np
from hypothesis import given, settings

from model_store.subnet.local_search import climb
from model_store.subnet.problem import Problem
from tests.model_store.subnet.searches import Case, cases

some = settings(max_examples=40)


def climbed(case: Case) -> tuple[Problem, np.ndarray]:
    problem = case.problem()
    top_G, _ = climb(problem, problem.start_G)
    return problem, top_G


@given(case=cases())
@some
def test_a_climb_never_leads_down_or_over_the_budget(case: Case) -> None:
    problem, top_G = climbed(case)
    start_score, top_score = problem.score(np.stack([problem.start_G, top_G]))
    assert top_score >= start_score
    assert problem.fits(top_G[None])[0]
    assert np.all((top_G >= 0) & (top_G <= problem.top_G))


@given(case=cases())
@some
def test_it_ends_where_no_change_of_one_encoder_group_is_better(case: Case) -> None:
    problem, top_G = climbed(case)
    score = problem.score(top_G[None])[0]
    feasible_PG = case.feasible()
    encoder = problem.space.encoder
    neighbours_PG = feasible_PG[(feasible_PG != top_G)[:, encoder].sum(axis=1) <= 1]
    assert problem.score(neighbours_PG).max() <= score + 1e-12

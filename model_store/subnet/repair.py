"""Repair: candidates over the budget are brought back within it, and what is left of it is spent.

Rejection does not end when the budget is tight; this ends after log2(steps) looks at the cost.
Dimensions: P candidates, G groups, E encoder groups, U units (the steps of a group).
"""

import numpy as np
from numpy.typing import NDArray

from model_store.subnet.problem import Choices, Problem


def shrink_to_fit(problem: Problem, choices_PG: Choices, rng: np.random.Generator) -> Choices:
    """Lowers random encoder groups, one step at a time, until every candidate fits the budget.

    All steps down that a candidate could take are put in a random order; since the cost never
    rises along it, bisection finds how many to take.

    Args:
        problem: the search.
        choices_PG: candidates, [P, G]; not changed. Their decoders stay as they are, and must fit
            beside the smallest encoder.
        rng: draws the order of the steps.

    Returns:
        Candidates within the budget, [P, G]; those that fitted are as they were.
    """
    choices_PG, groups = choices_PG.copy(), problem.space.encoder
    over = np.flatnonzero(~problem.fits(choices_PG))
    if not over.size:
        return choices_PG
    wide_PG = choices_PG[over]
    height_PE = wide_PG[:, groups]
    # A step down is a unit of a group's height; its key is its place in the random order.
    keys_PEU = rng.random((*height_PE.shape, int(height_PE.max())))
    keys_PEU[np.arange(keys_PEU.shape[2]) >= height_PE[:, :, None]] = np.inf
    order_PS = np.sort(keys_PEU.reshape(len(over), -1), axis=1)

    def after(steps_P: NDArray[np.int64]) -> Choices:
        last_P = order_PS[np.arange(len(over)), steps_P - 1]
        narrow_PG = wide_PG.copy()
        narrow_PG[:, groups] -= (keys_PEU <= last_P[:, None, None]).sum(axis=2)
        return narrow_PG

    too_few_P = np.zeros(len(over), dtype=np.int64)
    enough_P = height_PE.sum(axis=1)
    for _ in range(int(enough_P.max()).bit_length()):
        middle_P = np.maximum((too_few_P + enough_P) // 2, 1)
        fits_P = problem.fits(after(middle_P))
        enough_P = np.where(fits_P, middle_P, enough_P)
        too_few_P = np.where(fits_P, too_few_P, middle_P)
    choices_PG[over] = after(enough_P)
    return choices_PG


def widen_to_fit(problem: Problem, choices_G: Choices) -> tuple[Choices, int]:
    """Raises encoder groups, one step at a time, until no step fits the budget.

    Of the steps that fit, the one with the best score is taken, also where that is a little lower
    than without: a predictor fitted to few samples takes noise for an optimum below the budget,
    while wider networks measure better (``slimdial-train evaluate`` compares both searches).

    Args:
        problem: the search.
        choices_G: a candidate within the budget; not changed. Its decoders stay as they are.

    Returns:
        A candidate within the budget, [G], and how many candidates the predictor looked at.
    """
    widened_G, evaluations = choices_G.copy(), 0
    while len(wider_PG := steps_up(problem, widened_G)):
        widened_G = wider_PG[problem.score(wider_PG).argmax()]
        evaluations += len(wider_PG)
    return widened_G, evaluations


def steps_up(problem: Problem, choices_G: Choices) -> Choices:
    """The candidates within the budget that have one encoder group a step wider, [P, G]."""
    encoder = problem.space.encoder
    groups_P = encoder[choices_G[encoder] < problem.top_G[encoder]]
    wider_PG = np.tile(choices_G, (len(groups_P), 1))
    wider_PG[np.arange(len(groups_P)), groups_P] += 1
    return wider_PG[problem.fits(wider_PG)]


def random_candidates(problem: Problem, count: int, rng: np.random.Generator) -> Choices:
    """Random encoders within the budget, each with the widest decoders that fit beside it, [P, G].

    They are made to fit beside random decoders of the path, so that encoders of every size that
    the budget allows are among them.
    """
    random_PG = rng.integers(0, problem.top_G, size=(count, len(problem.top_G)), endpoint=True)
    steps_P = rng.integers(0, len(problem.path_SG), size=count)
    random_PG[:, problem.decoders] = problem.path_SG[steps_P][:, problem.decoders]
    return problem.with_decoders(shrink_to_fit(problem, random_PG, rng))

"""Repair: candidates over the budget are brought back within it, instead of being rejected.

Rejection does not end when the budget is tight; this ends after log2(steps) looks at the cost.
Dimensions: P candidates, G groups, F groups that may shrink, U units (the steps of a group).
"""

import numpy as np
from numpy.typing import NDArray

from model_store.subnet.problem import Choices, Problem


def shrink_to_fit(
    problem: Problem, choices_PG: Choices, groups: NDArray[np.int64], rng: np.random.Generator
) -> Choices:
    """Lowers random groups, one step at a time, until every candidate fits the budget.

    All steps down that a candidate could take are put in a random order; since the cost never
    rises along it, bisection finds how many to take.

    Args:
        problem: the search.
        choices_PG: candidates, [P, G]; not changed.
        groups: positions of the groups that may shrink. With all of them at their smallest a
            candidate must fit.
        rng: draws the order of the steps.

    Returns:
        Candidates within the budget, [P, G]; those that fitted are as they were.
    """
    choices_PG = choices_PG.copy()
    over = np.flatnonzero(~problem.fits(choices_PG))
    if not over.size:
        return choices_PG
    wide_PG = choices_PG[over]
    height_PF = wide_PG[:, groups]
    # A step down is a unit of a group's height; its key is its place in the random order.
    keys_PFU = rng.random((*height_PF.shape, int(height_PF.max())))
    keys_PFU[np.arange(keys_PFU.shape[2]) >= height_PF[:, :, None]] = np.inf
    order_PS = np.sort(keys_PFU.reshape(len(over), -1), axis=1)

    def after(steps_P: NDArray[np.int64]) -> Choices:
        last_P = order_PS[np.arange(len(over)), steps_P - 1]
        narrow_PG = wide_PG.copy()
        narrow_PG[:, groups] -= (keys_PFU <= last_P[:, None, None]).sum(axis=2)
        return narrow_PG

    too_few_P = np.zeros(len(over), dtype=np.int64)
    enough_P = height_PF.sum(axis=1)
    for _ in range(int(enough_P.max()).bit_length()):
        middle_P = np.maximum((too_few_P + enough_P) // 2, 1)
        fits_P = problem.fits(after(middle_P))
        enough_P = np.where(fits_P, middle_P, enough_P)
        too_few_P = np.where(fits_P, too_few_P, middle_P)
    choices_PG[over] = after(enough_P)
    return choices_PG

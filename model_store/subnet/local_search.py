"""Local search: the best change of one group, or of two together, while one improves.

Dimensions: G groups, J jumps (one group to another choice), T pairs of jumps.
"""

import numpy as np
from numpy.typing import NDArray

from model_store.subnet.problem import Choices, Problem

ROUNDS = 100
"""The most changes that a climb makes."""

_PAIRS = 64
"""Pairs of jumps that are looked at in a round."""


def climb(problem: Problem, start_G: Choices) -> tuple[Choices, int]:
    """Follows the best improving change until there is none.

    A change is a *jump* of one encoder group to any other of its choices, or a pair of jumps: width
    moves from one group to another, also where a step of the one costs several of the other. All
    jumps are looked at, and the most promising pairs (:func:`_pairs`). The decoders are always
    those of :meth:`Problem.with_decoders`, so width moves between them and the encoder too.

    Args:
        problem: the search.
        start_G: a candidate within the budget with such decoders.

    Returns:
        A candidate within the budget that scores at least as high, [G], and how many candidates
        the predictor looked at.
    """
    encoder = problem.space.encoder
    jumps = [(group, choice) for group in encoder for choice in range(problem.top_G[group] + 1)]
    groups_J, targets_J = np.array(jumps, dtype=np.int64).T
    best_G, best = start_G, float(problem.score(start_G[None])[0])
    evaluations = 1
    for _ in range(ROUNDS):
        # Costs are those beside the smallest decoders: what a change costs there, it may cost.
        bare_1G = best_G[None].copy()
        bare_1G[:, problem.decoders] = 0
        jumped_JG = np.repeat(bare_1G, len(jumps), axis=0)
        jumped_JG[np.arange(len(jumps)), groups_J] = targets_J
        counts_J = problem.counts(jumped_JG)
        jumped_JG = problem.with_decoders(jumped_JG)
        scores_J = problem.score(jumped_JG)
        # Were the groups independent, a pair would cost here + (first - here) + (second - here).
        limit = problem.budget + int(problem.counts(bare_1G)[0])
        first_T, second_T = _pairs(groups_J, scores_J, counts_J, limit)
        paired_TG = jumped_JG[first_T]
        paired_TG[np.arange(len(first_T)), groups_J[second_T]] = targets_J[second_T]
        paired_TG = problem.with_decoders(paired_TG)
        evaluations += len(jumps) + len(first_T)

        neighbours_PG = np.concatenate([jumped_JG, paired_TG])
        scores_P = np.concatenate([scores_J, problem.score(paired_TG)])
        scores_P[~problem.fits(neighbours_PG)] = -np.inf
        winner = int(scores_P.argmax())
        if scores_P[winner] <= best:
            break
        best_G, best = neighbours_PG[winner], float(scores_P[winner])
    return best_G, evaluations


def _pairs(
    groups_J: NDArray[np.int64],
    scores_J: NDArray[np.float64],
    counts_J: NDArray[np.int64],
    limit: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The most promising pairs: the best-scoring jumps, each with its best partner.

    Were the groups independent, gains and costs would add up. By that measure the best pair within
    the budget is among these if one of its two is among the best jumps. All pairs would be tens of
    thousands of candidates a round.

    Args:
        groups_J: the group of each jump.
        scores_J: the score after each jump.
        counts_J: the cost after each jump; it may exceed the budget, for the partner to make good.
        limit: what the costs of two partners may add up to.

    Returns:
        The first and the second jump of each pair, [T] and [T].
    """
    first_T = np.argsort(-scores_J, kind="stable")[:_PAIRS]
    together_TJ = scores_J[first_T, None] + scores_J
    together_TJ[counts_J[first_T, None] + counts_J > limit] = -np.inf
    together_TJ[groups_J[first_T, None] == groups_J] = -np.inf
    return first_T, together_TJ.argmax(axis=1)

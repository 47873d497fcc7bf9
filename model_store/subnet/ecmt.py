"""The search of the paper, to the letter: ECMT Algorithm 2 (Sec. 4.2, settings of Sec. 5).

Where the paper leaves a gap, it is closed as follows.

- Line 2, "random encoder widths that satisfy the constraint": a random draw that does not is
  shrunk by random steps until it does, since rejection would not end at a tight budget.
- Line 3, the most preferred task: tasks that share the first place count alike.
- Eq. 5 moves a layer by sign(F_user - F). The pool is always within the budget, so the sign is +1
  (or 0 on the budget itself: no change), and the mutant may overshoot. Eq. 5 then applies to the
  mutant again, where the sign is -1: random layers step down until it fits. So no member of the
  pool ever exceeds the budget, and width can move between layers.
- Eq. 5 cannot move a layer beyond the width list: the layer is drawn among those that can move.
- η = 0.1 is the paper's step between width ratios; here it is one choice, whatever the list.

Decoders are fixed by Eq. 4 (:attr:`Problem.start_G`). Dimensions: P members, G groups.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_store.subnet.problem import Choices, Problem, weighted
from model_store.subnet.repair import shrink_to_fit

POOL = 50
"""Pool size P (ECMT Sec. 5)."""

CYCLES = 150
"""Search cycles T_cycle (ECMT Sec. 5, CIFAR-100)."""


@dataclass(frozen=True, eq=False)
class EcmtOutcome:
    """What the search found, and what it started from."""

    best_G: Choices
    """The member with the lowest predicted loss in the most preferred task."""
    initial_PG: Choices
    """The pool before the first cycle."""
    evaluations: int
    """Candidates that the predictor looked at."""


def initial_pool(problem: Problem, rng: np.random.Generator) -> Choices:
    """The first pool (Algorithm 2, line 2), [P, G]: uniform and random encoders that fit."""
    space, encoder = problem.space, problem.space.encoder
    ratios = sorted({ratio for i in encoder for ratio in space.groups[i].ratios})
    uniform_PG = np.tile(problem.start_G, (len(ratios), 1))
    uniform_PG[:, encoder] = [[space.groups[i].index_of(r) for i in encoder] for r in ratios]
    uniform_PG = uniform_PG[problem.fits(uniform_PG)][-POOL:]

    random_PG = np.tile(problem.start_G, (POOL - len(uniform_PG), 1))
    random_PG[:, encoder] = rng.integers(
        0, space.choices_G[encoder], size=(len(random_PG), len(encoder))
    )
    return np.concatenate([uniform_PG, shrink_to_fit(problem, random_PG, rng)])


def ecmt(problem: Problem, rng: np.random.Generator) -> EcmtOutcome:
    """Runs ECMT Algorithm 2 and returns the best member of the last pool."""
    initial_PG = initial_pool(problem, rng)
    preferred_N = problem.preference.most_preferred_N()
    pool_PG = initial_PG.copy()
    counts_P = problem.counts(pool_PG)
    losses_P = weighted(problem.losses_of(pool_PG), preferred_N)
    evaluations = len(pool_PG)
    for parent in rng.integers(0, len(pool_PG), size=CYCLES):
        if counts_P[parent] == problem.budget:
            continue  # Eq. 5: the sign is 0
        mutant_G, count, loss = _mutate(problem, pool_PG[parent], preferred_N, rng)
        evaluations += 1
        # Adding the mutant and deleting the worst is replacing the worst, unless that is the
        # mutant itself.
        worst = int(losses_P.argmax())
        if loss <= losses_P[worst]:
            pool_PG[worst] = mutant_G
            counts_P[worst] = count
            losses_P[worst] = loss
    return EcmtOutcome(pool_PG[int(losses_P.argmin())], initial_PG, evaluations)


def _mutate(
    problem: Problem,
    member_G: Choices,
    preferred_N: NDArray[np.float64],
    rng: np.random.Generator,
) -> tuple[Choices, int, float]:
    """Eq. 5 on a random encoder layer, and again while over the budget.

    Returns:
        The mutant, its cost and its loss in the most preferred task.
    """
    # With one candidate at a time the work is in the calls: channels are counted once for cost and
    # loss, and rng.random() is a quarter of rng.integers().
    space, encoder = problem.space, slice(len(problem.space.encoder))  # its groups come first
    mutant_G = member_G.copy()
    can_grow = np.flatnonzero(member_G[encoder] < problem.top_G[encoder])
    if can_grow.size:
        mutant_G[can_grow[int(rng.random() * can_grow.size)]] += 1
    # Ends after at most as many steps as the encoder is high: at its smallest the encoder fits.
    while True:
        channels_1G = space.channels_of(mutant_G[None])
        count = int(problem.cost.counts(channels_1G)[0])
        if count <= problem.budget:
            break
        can_shrink = np.flatnonzero(mutant_G[encoder])
        mutant_G[can_shrink[int(rng.random() * can_shrink.size)]] -= 1
    losses_1N = problem.losses(space.ratios_of(channels_1G))
    return mutant_G, count, float(weighted(losses_1N, preferred_N)[0])

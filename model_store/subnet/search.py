"""Search: from a compute budget and a preference per task to a sub-network (ECMT Sec. 4.2).

Two algorithms: ``ecmt`` is the paper's, for comparison; ``evolution`` is the default.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from model_store.subnet.cost import CostModel
from model_store.subnet.ecmt import ecmt
from model_store.subnet.evolution import evolve
from model_store.subnet.preference import Preference
from model_store.subnet.problem import InfeasibleBudget, Problem, Score
from model_store.subnet.repair import widen_to_fit
from model_store.subnet.space import Architecture, SearchSpace

__all__ = ["Algorithm", "InfeasibleBudget", "Score", "SearchResult", "search"]

Algorithm = Literal["ecmt", "evolution"]


@dataclass(frozen=True)
class SearchResult:
    """The sub-network that was found."""

    architecture: Architecture
    """Dropped decoders stand at their smallest width."""
    cost: int
    """With the kept tasks, within the budget; in the cost model's counts."""
    score: float
    """Minus the mean of the kept tasks' standardised losses, weighted by preference; higher is
    better, and both algorithms are scored alike."""
    evaluations: int
    """Candidates that the predictor looked at."""


def search(
    algorithm: Algorithm,
    space: SearchSpace,
    cost: CostModel,
    losses: Score,
    budget: int,
    preference: Mapping[str, float],
    rng: np.random.Generator,
    tasks: Sequence[str] | None = None,
) -> SearchResult:
    """Finds a sub-network within a budget that serves a preference. Pure; always ends.

    Args:
        algorithm: ``ecmt`` (Algorithm 2 of the paper) or ``evolution``, which from the same state
            of ``rng`` never scores lower before it spends what is left of the budget.
        space: the search space.
        cost: its cost model, all tasks included; of whatever the budget is said in.
        losses: width ratios [P, G] to standardised task losses [P, N], lower is better, in the
            order of ``space.tasks`` (:meth:`AccuracyPredictor.standardised_losses`).
        budget: the most that the sub-network may cost, in the cost model's counts. Above the
            largest sub-network's cost it is no limit.
        preference: task to preference τ in [0, 1]; tasks that are not named have 0. Tasks count in
            proportion; if all preferences are equal or zero, they count alike.
        rng: the only source of chance; the same state gives the same answer.
        tasks: the tasks whose decoders are kept (default: all).

    Raises:
        InfeasibleBudget: the smallest sub-network with these tasks exceeds the budget.
        ValueError: an unknown algorithm or task, no task, or a preference outside [0, 1].
    """
    if algorithm not in get_args(Algorithm):
        raise ValueError(f"search is one of {', '.join(get_args(Algorithm))}, found {algorithm!r}")
    kept = Preference.of(space, preference, tasks)
    kept_cost = cost.for_tasks(kept.tasks)
    # Clipped, so that the answer is the same for every budget that is no limit.
    limit = min(budget, kept_cost.of(space.largest()))
    problem = Problem(kept_cost, losses, limit, kept)
    if algorithm == "ecmt":
        paper = ecmt(problem, rng)
        best_G, evaluations = paper.best_G, paper.evaluations
    else:
        evolved_G, evaluations = evolve(problem, rng)
        best_G, looks = widen_to_fit(problem, evolved_G)
        evaluations += looks
    return SearchResult(
        architecture=space.architecture(best_G),
        cost=int(problem.counts(best_G[None])[0]),
        score=float(problem.score(best_G[None])[0]),
        evaluations=evaluations,
    )

"""How well a user's wishes are met: the budget, and each task's preference."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr  # type: ignore[import-untyped]

from model_store.subnet.search import Algorithm
from training.evaluation.answers import ALGORITHMS
from training.evaluation.judged import Judged
from training.evaluation.results import Answer, RunResults


@dataclass(frozen=True)
class BudgetUse:
    """What an algorithm's answers at one budget cost."""

    algorithm: Algorithm
    share: float
    exceeded: int
    """Answers over the budget; 0, or something is wrong."""
    mean: float
    """Mean cost over the budget."""
    most: float
    """Highest cost over the budget."""
    attained: float
    """Mean cost over the most that the preference lets a sub-network cost."""


def budget_use(results: RunResults) -> list[BudgetUse]:
    """Of each algorithm at each budget."""
    shares = dict.fromkeys(a.share for a in results.answers.answers)
    return [_use(results.answers.of(a, s), a, s) for a in ALGORITHMS for s in shares]


def _use(answers: Sequence[Answer], algorithm: Algorithm, share: float) -> BudgetUse:
    used_P = np.array([a.gmacs / a.budget_gmacs for a in answers])
    attained_P = np.array([a.gmacs / a.attainable_gmacs for a in answers])
    return BudgetUse(
        algorithm=algorithm,
        share=share,
        exceeded=sum(a.gmacs > a.budget_gmacs for a in answers),
        mean=float(used_P.mean()),
        most=float(used_P.max()),
        attained=float(attained_P.mean()),
    )


def preference_correlation(
    tasks: Sequence[Judged], answers: Sequence[Answer]
) -> dict[str, tuple[float, float]]:
    """Spearman's ρ between a task's preference and its measured quality, by task.

    Args:
        tasks: the tasks.
        answers: measured, to several preferences at one budget.

    Returns:
        ρ of the metric (as minus its error) and of the loss (as minus the loss); 1 is perfect
        control. Where all answers measure the same, preferences have no effect, and ρ is 0.
    """
    found: dict[str, tuple[float, float]] = {}
    for task in tasks:
        tau = [a.preference[task.name] for a in answers]
        measured = [a.measured for a in answers if a.measured is not None]
        errors = [task.error(q.metrics[task.name]) for q in measured]
        losses = [q.losses[task.name] for q in measured]
        found[task.name] = (_rho(tau, errors), _rho(tau, losses))
    return found


def _rho(tau: Sequence[float], lower_is_better: Sequence[float]) -> float:
    if len(set(tau)) < 2 or len(set(lower_is_better)) < 2:
        return 0.0
    return float(-spearmanr(tau, lower_is_better).statistic) + 0.0  # no -0.0

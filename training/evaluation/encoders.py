"""The search against random encoders: the paper's Fig. 5."""

import numpy as np

from model_store.subnet.preference import Preference
from model_store.subnet.problem import Choices, Problem
from model_store.subnet.repair import shrink_to_fit, steps_up
from model_store.subnet.space import Architecture
from training.evaluation.answers import ALGORITHMS, found
from training.evaluation.gauge import Gauge
from training.evaluation.results import EncoderPoint, Encoders, Measured
from training.evaluation.settings import Settings
from training.evaluation.subject import Subject

LEVELS = (0.25, 0.5, 0.75)
"""Budgets, from the smallest sub-network's cost (0) to the full one's (1), where there is but one
encoder each."""


def random_encoders(problem: Problem, count: int, rng: np.random.Generator) -> Choices:
    """Random encoders that fill the budget beside the decoders that a search starts from.

    Width ratios are drawn from the list (ECMT Sec. 5.2). What such a draw leaves of the budget is
    spent on random steps, since a cheaper encoder would lose for its cost and not for its widths.

    Returns:
        Choice indices within the budget, [count, G]; no encoder group can be a step wider.
    """
    space, encoder = problem.space, problem.space.encoder
    drawn_PG = np.tile(problem.start_G, (count, 1))
    drawn_PG[:, encoder] = rng.integers(0, space.choices_G[encoder], (count, len(encoder)))
    filled_PG = shrink_to_fit(problem, drawn_PG, rng)
    for place in range(count):
        while len(wider_PG := steps_up(problem, filled_PG[place])):
            filled_PG[place] = rng.choice(wider_PG)
    return filled_PG


def compared(subject: Subject, settings: Settings, gauge: Gauge) -> Encoders:
    """Measures the search's encoders and random ones at equal preferences and budgets."""
    space, cost = subject.space, subject.cost
    least, most = cost.of(space.smallest()), cost.of(space.largest())
    budgets = [int(least + level * (most - least)) for level in LEVELS]
    equal = dict.fromkeys(space.tasks, 1.0)
    rng = np.random.default_rng(settings.seed)
    rows: list[list[Architecture]] = []
    for budget in budgets:
        losses = subject.predictor.standardised_losses
        problem = Problem(cost, losses, budget, Preference.of(space, equal, None))
        drawn_PG = random_encoders(problem, settings.encoders, rng)
        searched = [found(subject, a, budget, equal, settings.seed) for a in ALGORITHMS]
        rows.append(searched + [space.architecture(drawn_G) for drawn_G in drawn_PG])
    architectures = [a for row in rows for a in row]
    qualities = iter(gauge.measure("comparing encoders", architectures))
    points: list[EncoderPoint] = []
    for budget, row in zip(budgets, rows, strict=True):
        measured = [
            Measured(channels=a.as_dict(), gmacs=subject.gmacs(a), quality=next(qualities))
            for a in row
        ]
        points.append(
            EncoderPoint(
                budget_gmacs=budget / 1e9,
                found=dict(zip(ALGORITHMS, measured, strict=False)),
                random=tuple(measured[len(ALGORITHMS) :]),
            )
        )
    return Encoders(points=tuple(points))

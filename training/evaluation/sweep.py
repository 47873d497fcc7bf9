"""Quality against the budget: the paper's Fig. 6, one training and many networks."""

import numpy as np

from training.evaluation.answers import found
from training.evaluation.gauge import Gauge
from training.evaluation.results import Sweep, SweepPoint
from training.evaluation.settings import Settings
from training.evaluation.subject import Subject


def swept(subject: Subject, settings: Settings, gauge: Gauge | None) -> Sweep:
    """The sub-networks for equal preferences from the smallest to the full budget."""
    space, cost = subject.space, subject.cost
    least, most = cost.of(space.smallest()), cost.of(space.largest())
    budgets = [int(b) for b in np.linspace(least, most, settings.sweep)]
    equal = dict.fromkeys(space.tasks, 1.0)
    architectures = [found(subject, "evolution", b, equal, settings.seed) for b in budgets]
    measured = gauge.measure("sweeping budgets", architectures) if gauge else [None] * len(budgets)
    return Sweep(
        points=tuple(
            SweepPoint(
                budget_gmacs=budget / 1e9,
                gmacs=subject.gmacs(architecture),
                predicted=subject.predict(architecture),
                measured=quality,
            )
            for budget, architecture, quality in zip(budgets, architectures, measured, strict=True)
        )
    )

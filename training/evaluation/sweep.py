"""Quality against the budget: the paper's Fig. 6, one training and many networks."""

import numpy as np

from training.evaluation.answers import found
from training.evaluation.gauge import Gauge
from training.evaluation.results import Sweep, SweepPoint
from training.evaluation.settings import Settings
from training.evaluation.subject import Subject


def swept(subject: Subject, settings: Settings, gauge: Gauge | None) -> Sweep:
    """The answers to equal preferences from the smallest to the full budget, and uniform widths."""
    space, cost = subject.space, subject.cost
    least, most = cost.of(space.smallest()), cost.of(space.largest())
    budgets = [int(b) for b in np.linspace(least, most, settings.sweep)]
    equal = dict.fromkeys(space.tasks, 1.0)
    found_P = [found(subject, "evolution", b, equal, settings.seed) for b in budgets]
    ratios = sorted({r for g in space.groups for r in g.ratios})
    uniform_P = list(dict.fromkeys(space.uniform(r) for r in ratios))
    architectures = found_P + uniform_P
    measured = gauge.measure("sweeping budgets", architectures) if gauge else None
    points = [
        SweepPoint(
            budget_gmacs=subject.gmacs(architecture) if i >= len(budgets) else budgets[i] / 1e9,
            gmacs=subject.gmacs(architecture),
            predicted=subject.predict(architecture),
            measured=measured[i] if measured else None,
        )
        for i, architecture in enumerate(architectures)
    ]
    return Sweep(points=tuple(points[: len(budgets)]), uniform=tuple(points[len(budgets) :]))

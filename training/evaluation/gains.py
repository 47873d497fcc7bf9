"""Gains over baselines: Δ-MTL over single-task networks, and what distillation gives."""

from collections.abc import Mapping

from training.evaluation.judged import delta_mtl
from training.evaluation.results import RunResults


def single_metrics(results: RunResults) -> dict[str, float] | None:
    """Each task's metric from its own single-task network; None unless all were trained."""
    if results.baselines is None:
        return None
    found = {t: b.largest for t, b in results.baselines.singles.items()}
    measured = {t: m.quality.metrics[t] for t, m in found.items() if m is not None}
    return measured if len(measured) == len(found) else None


def over_singles(results: RunResults, metrics: Mapping[str, float]) -> float | None:
    """Δ-MTL of a network in percent; None unless all single-task networks were trained."""
    base = single_metrics(results)
    return None if base is None else delta_mtl(results.tasks, metrics, base)


def over_static(results: RunResults, metrics: Mapping[str, float]) -> float | None:
    """The same mean gain over MTL-Static."""
    largest = results.baselines.static.largest if results.baselines else None
    return None if largest is None else delta_mtl(results.tasks, metrics, largest.quality.metrics)


def distillation_gain(results: RunResults) -> float | None:
    """Mean gain of the smallest sub-network by distillation, in percent (ECMT Table 4)."""
    if results.baselines is None or results.baselines.no_distillation.smallest is None:
        return None
    without = results.baselines.no_distillation.smallest.quality.metrics
    return delta_mtl(results.tasks, results.baselines.smallest.quality.metrics, without)

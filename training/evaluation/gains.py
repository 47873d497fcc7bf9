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
    return _over(results, metrics, single_metrics(results))


def over_static(results: RunResults, metrics: Mapping[str, float]) -> float | None:
    """The same mean gain over MTL-Static."""
    largest = results.baselines.static.largest if results.baselines else None
    return _over(results, metrics, largest.quality.metrics if largest else None)


def distillation_gain(results: RunResults) -> float | None:
    """Mean gain of the smallest sub-network by distillation, in percent (ECMT Table 4)."""
    baselines = results.baselines
    if baselines is None or baselines.no_distillation is None:
        return None
    without = baselines.no_distillation.smallest
    return _over(
        results, baselines.smallest.quality.metrics, without.quality.metrics if without else None
    )


def _over(
    results: RunResults, metrics: Mapping[str, float], base: Mapping[str, float] | None
) -> float | None:
    """None without a baseline, or where a metric of it is 0, to which nothing is relative."""
    if base is None or not all(base.values()):
        return None
    return delta_mtl(results.tasks, metrics, base)

"""How a task is judged: its metric, and the error that the metric says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from model_store.manifest import Metric, TaskKind

RIGHT_ANGLE = 90.0


@dataclass(frozen=True)
class Judged:
    """A task and its metric."""

    name: str
    kind: TaskKind
    metric: Metric

    def error(self, value: float) -> float:
        """The metric as an error, lower is better, of which 1 is as bad as knowing nothing.

        Shares (top-1, IoU, F1) become what is missing to 1; the relative error of depth, which a
        prediction of no depth makes 1, stays; angles are in units of 90 degrees. So every
        error-space hypervolume has the reference point 1.
        """
        if self.metric.higher_is_better:
            return 1.0 - value
        return value / RIGHT_ANGLE if self.metric.unit == "degree" else value

    def gain(self, value: float, base: float) -> float:
        """How much better a value is than another, relative to that, in percent.

        Raises:
            ValueError: the other is zero, so that nothing is relative to it.
        """
        if base == 0.0:
            raise ValueError(
                f"task {self.name!r}: nothing is relative to a {self.metric.name} of 0"
            )
        sign = 1.0 if self.metric.higher_is_better else -1.0
        return 100.0 * sign * (value - base) / base


def delta_mtl(
    tasks: Sequence[Judged], metrics: Mapping[str, float], base: Mapping[str, float]
) -> float:
    """Δ-MTL, the mean relative gain over baselines, in percent (Maninis et al. 2019, Eq. 4).

    Δ = 100/N Σ (-1)^l_n (M_n - B_n) / B_n, where l_n = 1 if lower is better for task n.

    Args:
        tasks: the N tasks.
        metrics: M, by task.
        base: B, by task: usually those of single-task networks.
    """
    return sum(t.gain(metrics[t.name], base[t.name]) for t in tasks) / len(tasks)

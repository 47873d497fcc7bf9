"""Quality against the number of calibration images (ECMT Sec. 5)."""

from collections.abc import Sequence

import numpy as np
import torch

from model_store.manifest import TaskKind
from model_store.subnet.space import Architecture, SearchSpace
from training.data.source import Source
from training.evaluate import Quality
from training.evaluation.gauge import Gauge
from training.evaluation.judged import Judged
from training.evaluation.results import Calibration, CalibrationPoint

COUNTS = (8, 16, 32, 64, 128, 256)
"""Numbers of calibration images."""


def spread(space: SearchSpace) -> dict[str, Architecture]:
    """Sub-networks over the whole range: the extremes, three uniform ones and a random one."""
    found = {"smallest": space.smallest()}
    found |= {f"uniform {r:.0%}": space.uniform(r) for r in (0.5, 0.7, 0.85)}
    rng = np.random.default_rng(1)
    return found | {"random": space.random(rng), "full": space.largest()}


def by_kind(tasks: Sequence[Judged], quality: Quality) -> dict[str, float]:
    """Mean metric by kind of task, under the metric's name."""
    kinds: dict[TaskKind, list[Judged]] = {}
    for task in tasks:
        kinds.setdefault(task.kind, []).append(task)
    return {
        same[0].metric.name: float(np.mean([quality.metrics[t.name] for t in same]))
        for same in kinds.values()
    }


def calibration_curve(
    gauge: Gauge, tasks: Sequence[Judged], train: Source, seed: int
) -> Calibration:
    """Measures three sub-networks, calibrated on more and more training images."""
    chosen = spread(gauge.network.space)
    architectures = {name: chosen[name] for name in ("smallest", "uniform 70%", "full")}
    order = torch.from_numpy(np.random.default_rng(seed).permutation(len(train)))
    counts = [c for c in COUNTS if c <= len(train)]
    images_NCHW = train.batch(order[: counts[-1]]).images_NCHW
    points: list[CalibrationPoint] = []
    for count in counts:
        own = gauge.calibrated_on(images_NCHW[:count])
        what = f"calibrating on {count} images"
        for name, quality in zip(
            architectures, own.measure(what, list(architectures.values())), strict=True
        ):
            metrics = by_kind(tasks, quality)
            points.append(CalibrationPoint(images=count, network=name, metrics=metrics))
    return Calibration(points=tuple(points))

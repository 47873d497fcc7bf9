"""Quality of predictions, accumulated over a whole set."""

import math
from collections.abc import Callable, Sequence
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from model_store.manifest import Metric, TaskKind
from training.tasks import IGNORE

BINS = 100
"""Bins that probabilities are counted in: a hundredth each."""

EDGE_THRESHOLDS = range(0, BINS, 2)
"""Thresholds that edges are swept over, in hundredths."""

SALIENCY_THRESHOLDS = range(20, 91, 5)
"""Thresholds 0.2 to 0.9 that saliency is swept over, in hundredths."""


class Meter(Protocol):
    """Accumulates one task's quality over batches."""

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Adds a batch of activated predictions and their targets, at the targets' resolution."""

    def value(self) -> float:
        """The quality over everything added."""


def metric_of(kind: TaskKind) -> Metric:
    """The metric by which a kind of task is judged."""
    return {
        "classification": Metric(name="top1", higher_is_better=True),
        "segmentation": Metric(name="miou", higher_is_better=True),
        "depth": Metric(name="abs_rel", higher_is_better=False),
        "normals": Metric(name="mean_angle", higher_is_better=False, unit="degree"),
        "edges": Metric(name="f1", higher_is_better=True),
        "saliency": Metric(name="iou", higher_is_better=True),
    }[kind]


def meter_of(kind: TaskKind, outputs: int) -> Meter:
    """A fresh meter of the metric by which a kind of task is judged."""
    return meters_of(kind, outputs)[metric_of(kind).name]


def meters_of(kind: TaskKind, outputs: int) -> dict[str, Meter]:
    """Fresh meters of every metric that is reported for a kind of task, by the metric's name.

    Among them is that by which it is judged. Depth and normals have the paper's root mean square
    errors beside it (ECMT Sec. 5).
    """
    makers: dict[TaskKind, Callable[[], dict[str, Meter]]] = {
        "classification": lambda: {"top1": Top1()},
        "segmentation": lambda: {"miou": MeanIoU(outputs)},
        "depth": lambda: {"abs_rel": AbsoluteRelative(), "rmse": DepthRmse()},
        "normals": lambda: {"mean_angle": MeanAngle(), "rmse_angle": AngleRmse()},
        "edges": lambda: {"f1": BestThreshold(EDGE_THRESHOLDS, f1=True)},
        "saliency": lambda: {"iou": BestThreshold(SALIENCY_THRESHOLDS, f1=False)},
    }
    return makers[kind]()


def to_target_size(prediction: Tensor, target: Tensor) -> Tensor:
    """Resizes dense predictions to their target, as the service does to the image's size."""
    if prediction.ndim != 4 or prediction.shape[-2:] == target.shape[-2:]:
        return prediction
    size = target.shape[-2:]
    return F.interpolate(prediction, size=size, mode="bilinear", align_corners=False)


class Top1:
    """The share of images whose largest logit is the label's, over the labelled images."""

    def __init__(self) -> None:
        self.right, self.seen = 0, 0

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Logits [N, classes] and labels [N]."""
        valid = target != IGNORE
        self.right += int((prediction.argmax(dim=1)[valid] == target[valid]).sum())
        self.seen += int(valid.sum())

    def value(self) -> float:
        """In [0, 1]; 0 if nothing was labelled."""
        return self.right / max(self.seen, 1)


class MeanIoU:
    """Intersection over union, averaged over the classes that occur in labels or predictions."""

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self.confusion = torch.zeros(classes, classes, dtype=torch.int64)

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Logits [N, classes, H, W] and labels [N, H, W]."""
        valid = target != IGNORE
        pairs = target[valid] * self.classes + prediction.argmax(dim=1)[valid]
        counts = torch.bincount(pairs, minlength=self.classes**2).cpu()
        self.confusion += counts.view(self.classes, self.classes)

    def value(self) -> float:
        """In [0, 1]."""
        hit = self.confusion.diagonal().double()
        union = self.confusion.sum(0) + self.confusion.sum(1) - hit
        occurs = union > 0
        return float((hit[occurs] / union[occurs]).mean()) if occurs.any() else 0.0


class _Mean:
    def __init__(self) -> None:
        self.total, self.count = 0.0, 0

    def add(self, errors: Tensor) -> None:
        self.total += float(errors.double().sum())
        self.count += errors.numel()

    def value(self) -> float:
        return self.total / max(self.count, 1)


class AbsoluteRelative(_Mean):
    """Mean of |d - d*| / d* over the valid pixels of the whole set."""

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Depths [N, 1, H, W] and [N, H, W] in metres, 0 where absent."""
        valid = target > 0
        self.add((prediction[:, 0][valid] - target[valid]).abs() / target[valid])


class DepthRmse(_Mean):
    """Root of the mean squared error over the valid pixels of the whole set, in metres.

    Over all pixels at once, and not the mean of each image's: that is a smaller number.
    """

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Depths [N, 1, H, W] and [N, H, W] in metres, 0 where absent."""
        valid = target > 0
        self.add((prediction[:, 0][valid] - target[valid]) ** 2)

    def value(self) -> float:
        """In metres."""
        return math.sqrt(super().value())


def _angles(prediction: Tensor, target: Tensor) -> Tensor:
    """Degrees between normals [N, 3, H, W] where there is a target; of shape [valid pixels]."""
    valid = target.abs().sum(dim=1) > 0
    cosine = F.cosine_similarity(prediction, target, dim=1)[valid]
    return torch.rad2deg(torch.acos(cosine.clamp(-1.0, 1.0)))


class MeanAngle(_Mean):
    """Mean angle in degrees between predicted and true normals over the valid pixels."""

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Normals [N, 3, H, W]; zero targets are absent."""
        self.add(_angles(prediction, target))


class AngleRmse(_Mean):
    """Root of the mean squared angle in degrees over the valid pixels of the whole set.

    A widely copied meter reports the mean angle by this name; this is the root mean square.
    """

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Normals [N, 3, H, W]; zero targets are absent."""
        self.add(_angles(prediction, target) ** 2)

    def value(self) -> float:
        """In degrees."""
        return math.sqrt(super().value())


class BestThreshold:
    """Pixel-wise F1 (edges) or IoU (saliency) at the best threshold for the whole set.

    Args:
        thresholds: in hundredths, ascending; a pixel is positive at or above one.
        f1: whether F1 is measured, and not IoU.
    """

    def __init__(self, thresholds: Sequence[int], f1: bool) -> None:
        self.thresholds, self.f1 = list(thresholds), f1
        self.positive = torch.zeros(BINS, dtype=torch.int64)
        self.negative = torch.zeros(BINS, dtype=torch.int64)

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Probabilities [N, 1, H, W] and targets [N, H, W] in {0, 1}, IGNORE where absent."""
        bins = (prediction[:, 0] * BINS).long().clamp(0, BINS - 1)
        valid = target != IGNORE
        positive = valid & (target > 0)
        self.positive += torch.bincount(bins[positive], minlength=BINS).cpu()
        self.negative += torch.bincount(bins[valid & ~positive], minlength=BINS).cpu()

    def value(self) -> float:
        """In [0, 1]."""
        hit = self.positive.flip(0).cumsum(0).flip(0)[self.thresholds].double()
        false = self.negative.flip(0).cumsum(0).flip(0)[self.thresholds].double()
        missed = self.positive.sum() - hit
        errors = (false + missed) / (2.0 if self.f1 else 1.0)
        return float((hit / (hit + errors).clamp(min=1.0)).max())

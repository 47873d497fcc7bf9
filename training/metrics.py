"""Quality of predictions, accumulated over a whole set."""

from collections.abc import Callable
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from model_store.manifest import Metric, TaskKind
from training.tasks import IGNORE

THRESHOLDS = 50
"""Probability thresholds that edges and saliency are swept over."""


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
    """A fresh meter for a kind of task."""
    makers: dict[TaskKind, Callable[[], Meter]] = {
        "classification": Top1,
        "segmentation": lambda: MeanIoU(outputs),
        "depth": AbsoluteRelative,
        "normals": MeanAngle,
        "edges": lambda: BestThreshold(f1=True),
        "saliency": lambda: BestThreshold(f1=False),
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


class MeanAngle(_Mean):
    """Mean angle in degrees between predicted and true normals over the valid pixels."""

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Normals [N, 3, H, W]; zero targets are absent."""
        valid = target.abs().sum(dim=1) > 0
        cosine = F.cosine_similarity(prediction, target, dim=1)[valid]
        self.add(torch.rad2deg(torch.acos(cosine.clamp(-1.0, 1.0))))


class BestThreshold:
    """Pixel-wise F1 (edges) or IoU (saliency) at the best threshold for the whole set."""

    def __init__(self, f1: bool) -> None:
        self.f1 = f1
        self.positive = torch.zeros(THRESHOLDS, dtype=torch.int64)
        self.negative = torch.zeros(THRESHOLDS, dtype=torch.int64)

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Probabilities [N, 1, H, W] and targets [N, H, W] in {0, 1}."""
        bins = (prediction[:, 0] * THRESHOLDS).long().clamp(0, THRESHOLDS - 1)
        positive = target > 0
        self.positive += torch.bincount(bins[positive], minlength=THRESHOLDS).cpu()
        self.negative += torch.bincount(bins[~positive], minlength=THRESHOLDS).cpu()

    def value(self) -> float:
        """In [0, 1]."""
        hit = self.positive.flip(0).cumsum(0).double()
        false = self.negative.flip(0).cumsum(0).double()
        missed = self.positive.sum() - hit
        errors = (false + missed) / (2.0 if self.f1 else 1.0)
        return float((hit / (hit + errors).clamp(min=1.0)).max())

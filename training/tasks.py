"""Tasks: what a decoder predicts, its loss, and how raw outputs become predictions."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from model_store.manifest import TaskKind

IGNORE = 255
"""The label of pixels and images that a task has no ground truth for."""


@dataclass(frozen=True)
class Task:
    """One task of a multi-task network."""

    name: str
    kind: TaskKind
    outputs: int
    """Output channels: the classes, 3 for normals, 1 for depth, edges and saliency."""
    weight: float = 1.0
    """The weight ρ of this task's loss in Eq. 1."""
    labels: tuple[str, ...] = ()
    palette: tuple[tuple[int, int, int], ...] = ()


@dataclass(frozen=True)
class MetricDepth(Task):
    """Depth whose loss is in metres, as published for NYUD-v2, and not of the logarithm."""


def activate(task: Task, raw: Tensor) -> Tensor:
    """Raw outputs to predictions, as the published graph gives them.

    Classification and segmentation stay logits; depth is exp(raw) metres; normals are unit
    vectors; edges and saliency are probabilities.
    """
    if task.kind == "depth":
        return raw.exp()
    if task.kind == "normals":
        # Not F.normalize, whose export expands the norm to a fixed shape.
        length: Tensor = raw.norm(dim=1, keepdim=True).clamp(min=1e-6)
        return raw / length
    if task.kind in ("edges", "saliency"):
        return raw.sigmoid()
    return raw


def task_loss(
    task: Task,
    raw: Tensor,
    target: Tensor,
    positive_share: float | None = None,
) -> Tensor | None:
    """The loss L_n of one task, or None where the batch has no ground truth for it.

    Args:
        task: the task.
        raw: the decoder's raw outputs, [N, classes] or [N, outputs, h, w] at any resolution.
        target: labels [N] or [N, H, W] (int64, IGNORE where absent), depth [N, H, W] in metres
            (0 where absent), normals [N, 3, H, W] (zero where absent), edges or saliency
            [N, H, W] in {0, 1} (IGNORE where absent).
        positive_share: share of the positive pixels in a batch of which this is a part; None if
            this is the whole batch.

    Returns:
        classification and segmentation: cross-entropy; depth: L1 of the logarithm, which bounds
        the relative error, or for :class:`MetricDepth` L1 in metres; normals: L1 of the unit
        prediction; edges: binary cross-entropy with positive weight 0.95; saliency: binary
        cross-entropy balanced by the batch. Each is a mean over the pixels (classification: the
        images) that have ground truth, so that what is absent contributes nothing.
    """
    raw = raw.float()
    if raw.ndim == 4:
        raw = F.interpolate(raw, size=target.shape[-2:], mode="bilinear", align_corners=False)
    if task.kind in ("classification", "segmentation"):
        valid = target != IGNORE
        if not valid.any():
            return None
        return F.cross_entropy(raw, target, ignore_index=IGNORE)
    if task.kind == "depth":
        valid = target > 0
        if not valid.any():
            return None
        present = torch.where(valid, target, 1.0)
        if isinstance(task, MetricDepth):
            error = raw[:, 0].exp() - present
        else:
            error = raw[:, 0] - present.log()
        return (error.abs() * valid).sum() / valid.sum()
    if task.kind == "normals":
        valid = target.abs().sum(dim=1, keepdim=True) > 0
        if not valid.any():
            return None
        difference = (F.normalize(raw, dim=1) - target).abs() * valid
        return difference.sum() / (3 * valid.sum())
    valid = target != IGNORE
    if not valid.any():
        return None
    positive = (valid & (target > 0)).float()
    balance = positive.sum() / valid.sum() if positive_share is None else positive_share
    share = 0.95 if task.kind == "edges" else 1.0 - balance
    weight = torch.where(positive > 0, share, 1.0 - share) * valid
    loss = F.binary_cross_entropy_with_logits(raw[:, 0], positive, weight, reduction="sum")
    return loss / valid.sum()

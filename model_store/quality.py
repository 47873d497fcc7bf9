"""How good a prediction of one picture is, against its ground truth.

The metrics that models are judged by in training, for a single picture. Where a set has a best
threshold (edges, saliency), a picture has one of its own.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_store.manifest import TaskKind

ABSENT = 255
"""The label of pixels and pictures that have none."""

METRICS: dict[TaskKind, str] = {
    "classification": "top1",
    "segmentation": "miou",
    "depth": "abs_rel",
    "normals": "mean_angle",
    "edges": "f1",
    "saliency": "iou",
}
"""What a kind of task is measured in. ``mean_angle`` is in degrees, the others have no unit."""

_BINS = 100
_EDGE_THRESHOLDS = np.arange(0, _BINS, 2)
_SALIENCY_THRESHOLDS = np.arange(20, 91, 5)
"""In hundredths; a pixel is positive at or above a threshold."""


def quality(kind: TaskKind, predicted: NDArray[Any], truth: NDArray[Any]) -> float | None:
    """The metric of one prediction; None where the truth says nothing.

    Args:
        kind: of the task.
        predicted: probabilities [classes]; class indices [H, W]; depth in metres, or probabilities,
            [H, W]; unit vectors [H, W, 3].
        truth: a class index [], or [H, W], :data:`ABSENT` where there is none; metres [H, W], 0
            where absent; unit vectors [H, W, 3], zero where absent; 0 or 1 [H, W], or ABSENT.
    """
    match kind:
        case "classification":
            return None if truth == ABSENT else float(predicted.argmax() == truth)
        case "segmentation":
            return _mean_iou(predicted, truth)
        case "depth":
            seen = truth > 0
            true = truth[seen].astype(np.float64)
            return _mean(np.abs(predicted[seen] - true) / true)
        case "normals":
            return _mean(_angles(predicted, truth))
        case "edges":
            return _best_threshold(predicted, truth, _EDGE_THRESHOLDS, 2.0)
        case "saliency":
            return _best_threshold(predicted, truth, _SALIENCY_THRESHOLDS, 1.0)


def _mean(values: NDArray[np.float64]) -> float | None:
    return float(values.mean()) if values.size else None


def _mean_iou(predicted_HW: NDArray[Any], truth_HW: NDArray[Any]) -> float | None:
    """Over the classes that occur in the truth or the prediction."""
    seen = truth_HW != ABSENT
    predicted, truth = predicted_HW[seen].astype(np.int64), truth_HW[seen].astype(np.int64)
    if not truth.size:
        return None
    classes = 1 + int(max(predicted.max(), truth.max()))
    hit = np.bincount(truth[truth == predicted], minlength=classes)
    union = np.bincount(truth, minlength=classes) + np.bincount(predicted, minlength=classes) - hit
    return float((hit[union > 0] / union[union > 0]).mean())


def _angles(predicted_HW3: NDArray[Any], truth_HW3: NDArray[Any]) -> NDArray[np.float64]:
    """In degrees, where there is a truth."""
    seen = np.abs(truth_HW3).sum(axis=-1) > 0
    a, b = predicted_HW3[seen].astype(np.float64), truth_HW3[seen].astype(np.float64)
    lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    cosines = (a * b).sum(axis=-1) / np.maximum(lengths, 1e-8)
    degrees: NDArray[np.float64] = np.rad2deg(np.arccos(cosines.clip(-1.0, 1.0)))
    return degrees


def _best_threshold(
    predicted_HW: NDArray[Any],
    truth_HW: NDArray[Any],
    thresholds: NDArray[np.int64],
    shared: float,
) -> float | None:
    """The best hits / (hits + errors / shared): shared 2 is F1, 1 is intersection over union."""
    seen = truth_HW != ABSENT
    if not seen.any():
        return None
    bins = (predicted_HW[seen] * _BINS).astype(np.int64).clip(0, _BINS - 1)
    positive = truth_HW[seen] > 0
    at_least = [
        np.bincount(bins[part], minlength=_BINS)[::-1].cumsum()[::-1][thresholds]
        for part in (positive, ~positive)
    ]
    hit, false = at_least
    errors = (false + positive.sum() - hit) / shared
    return float((hit / np.maximum(hit + errors, 1.0)).max())

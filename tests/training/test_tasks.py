"""Losses and activations, against values worked out by hand."""

import math

import pytest
import torch
from torch import Tensor

from training.tasks import IGNORE, MetricDepth, Task, activate, task_loss

LABELS = Task("animals", "classification", 2)
SEMSEG = Task("semseg", "segmentation", 2)
DEPTH = Task("depth", "depth", 1)
NORMALS = Task("normals", "normals", 3)
EDGES = Task("edges", "edges", 1)
SALIENCY = Task("saliency", "saliency", 1)


def value(loss: Tensor | None) -> float:
    assert loss is not None
    return float(loss)


def plane(*values: float) -> Tensor:
    """One image of a single row."""
    return torch.tensor(values).view(1, 1, -1)


def test_classification_is_cross_entropy_over_the_labelled_images() -> None:
    """Logits 0 and ln 3 are the probabilities 1/4 and 3/4."""
    raw = torch.tensor([[0.0, math.log(3)], [5.0, -5.0], [0.0, math.log(3)]])
    target = torch.tensor([1, IGNORE, 0])
    assert value(task_loss(LABELS, raw, target)) == pytest.approx(math.log(4 / 3 * 4) / 2)


def test_segmentation_is_cross_entropy_over_the_labelled_pixels() -> None:
    raw = torch.zeros(1, 2, 1, 4)
    raw[:, 1] = math.log(3)
    target = torch.tensor([[[1, 1, 0, IGNORE]]])
    expected = (2 * math.log(4 / 3) + math.log(4)) / 3
    assert value(task_loss(SEMSEG, raw, target)) == pytest.approx(expected)


def test_outputs_are_enlarged_to_the_resolution_of_the_target() -> None:
    """Bilinear with half-pixel centres: -1 and 1 become -1, -0.5, 0.5 and 1."""
    raw = plane(-1.0, 1.0).unsqueeze(1)
    target = torch.exp(torch.zeros(1, 2, 4))
    assert value(task_loss(DEPTH, raw, target)) == pytest.approx((1 + 0.5 + 0.5 + 1) / 4)


def test_depth_is_the_absolute_error_of_the_logarithm_over_the_valid_pixels() -> None:
    raw = plane(0.0, 1.0, 9.0).unsqueeze(1)
    target = plane(math.e, math.exp(3.0), 0.0)
    assert value(task_loss(DEPTH, raw, target)) == pytest.approx((1 + 2) / 2)


def test_metric_depth_is_the_absolute_error_in_metres() -> None:
    raw = plane(math.log(2.0), math.log(5.0), 9.0).unsqueeze(1)
    target = plane(3.0, 3.0, 0.0)
    task = MetricDepth("depth", "depth", 1)
    assert value(task_loss(task, raw, target)) == pytest.approx((1 + 2) / 2)


def test_normals_are_compared_as_unit_vectors_over_the_valid_pixels() -> None:
    raw = torch.tensor([[0.0, 0.0, 2.0], [3.0, 0.0, 0.0], [1.0, 1.0, 1.0]]).T.view(1, 3, 1, 3)
    target = torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]).T.view(1, 3, 1, 3)
    # |(0, 0, 1) - (1, 0, 0)| = 2 over 3 components, and nothing at the second pixel.
    assert value(task_loss(NORMALS, raw, target)) == pytest.approx(2 / 6)


def test_edges_weigh_positives_19_times_as_much() -> None:
    raw, target = torch.zeros(1, 1, 1, 4), torch.tensor([[[1, 0, 0, 0]]])
    expected = math.log(2) * (0.95 + 3 * 0.05) / 4
    assert value(task_loss(EDGES, raw, target)) == pytest.approx(expected)


def test_saliency_balances_both_sides_of_the_batch() -> None:
    raw, target = torch.zeros(1, 1, 1, 4), torch.tensor([[[1, 0, 0, 0]]])
    raw[..., 0] = 2.0
    positive, negative = math.log(1 + math.exp(-2)), math.log(2)
    expected = (0.75 * positive + 3 * 0.25 * negative) / 4
    assert value(task_loss(SALIENCY, raw, target)) == pytest.approx(expected)


@pytest.mark.parametrize("task", [EDGES, SALIENCY])
def test_absent_maps_contribute_nothing_to_the_batch(task: Task) -> None:
    raw = torch.tensor([[0.5, -1.0, 2.0, 0.0], [3.0, 1.0, -1.0, 0.2]]).view(2, 1, 1, 4)
    target = torch.tensor([[[1, 0, 0, 1]], [[IGNORE] * 4]])
    whole, alone = task_loss(task, raw, target), task_loss(task, raw[:1], target[:1])
    assert value(whole) == pytest.approx(value(alone))


@pytest.mark.parametrize(
    ("task", "raw", "target"),
    [
        (EDGES, torch.zeros(1, 1, 2, 2), torch.full((1, 2, 2), IGNORE)),
        (SALIENCY, torch.zeros(1, 1, 2, 2), torch.full((1, 2, 2), IGNORE)),
        (LABELS, torch.zeros(2, 2), torch.full((2,), IGNORE)),
        (SEMSEG, torch.zeros(1, 2, 2, 2), torch.full((1, 2, 2), IGNORE)),
        (DEPTH, torch.zeros(1, 1, 2, 2), torch.zeros(1, 2, 2)),
        (NORMALS, torch.ones(1, 3, 2, 2), torch.zeros(1, 3, 2, 2)),
    ],
)
def test_without_ground_truth_there_is_no_loss(task: Task, raw: Tensor, target: Tensor) -> None:
    assert task_loss(task, raw, target) is None


def test_losses_are_taken_in_full_precision() -> None:
    raw = torch.tensor([[0.0, 1.0]], dtype=torch.bfloat16)
    loss = task_loss(LABELS, raw, torch.tensor([1]))
    assert loss is not None
    assert loss.dtype == torch.float32


def test_raw_outputs_become_predictions() -> None:
    logits = torch.tensor([[1.0, -2.0]])
    assert torch.equal(activate(LABELS, logits), logits)
    assert torch.equal(activate(SEMSEG, logits[..., None, None]), logits[..., None, None])
    assert activate(DEPTH, plane(math.log(2.5))).item() == pytest.approx(2.5)
    assert activate(EDGES, plane(math.log(3))).item() == pytest.approx(0.75)
    assert activate(SALIENCY, plane(0.0)).item() == pytest.approx(0.5)
    normals = activate(NORMALS, torch.tensor([3.0, 0.0, -4.0]).view(1, 3, 1, 1))
    assert normals.flatten().tolist() == pytest.approx([0.6, 0.0, -0.8])


def test_a_vanishing_normal_is_not_a_nan() -> None:
    assert torch.isfinite(activate(NORMALS, torch.zeros(1, 3, 1, 1))).all()

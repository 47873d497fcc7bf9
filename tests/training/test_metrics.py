"""Meters against brute force in numpy, over whole sets and not over batches."""

from typing import get_args

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from model_store.manifest import TaskKind
from training.metrics import Meter, meter_of, meters_of, metric_of, to_target_size

N, H, W = 6, 5, 7


def measured(meter: Meter, prediction: Tensor, target: Tensor, sizes: tuple[int, ...]) -> float:
    """The value after the images in batches of these sizes."""
    for p, t in zip(prediction.split(sizes), target.split(sizes), strict=True):  # type: ignore[no-untyped-call]
        meter.update(p, t)
    return meter.value()


def uneven(
    kind: TaskKind,
    outputs: int,
    prediction: NDArray[np.float64],
    target: Tensor,
    metric: str | None = None,
) -> float:
    """The value of a meter, which must not depend on the batches."""
    tensor = torch.from_numpy(prediction).float()
    name = metric or metric_of(kind).name
    values = [
        measured(meters_of(kind, outputs)[name], tensor, target, sizes)
        for sizes in ((N,), (1,) * N, (1, 5), (4, 2))
    ]
    assert values == pytest.approx([values[0]] * len(values), rel=1e-6)
    return values[0]


def test_top1_counts_labelled_images() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(N, 4))
    target = np.array([2, 255, 1, int(logits[3].argmax()), 0, 255])
    right = sum(int(logits[i].argmax() == target[i]) for i in (0, 2, 3, 4))
    assert uneven("classification", 4, logits, torch.from_numpy(target)) == right / 4


def test_nothing_labelled_is_no_success() -> None:
    meter = meter_of("classification", 4)
    meter.update(torch.zeros(2, 4), torch.full((2,), 255))
    assert meter.value() == 0.0


def test_miou_is_that_of_the_whole_set() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(N, 4, H, W))
    target = rng.integers(0, 3, (N, H, W))
    logits[:, 3] = -9.0  # class 3 occurs nowhere: it must not count
    target[rng.random((N, H, W)) < 0.2] = 255
    target[0] = 0
    predicted = logits.argmax(axis=1)
    seen = target != 255
    ious = []
    for c in range(3):
        hit = np.sum((predicted == c) & (target == c))
        ious.append(hit / np.sum(seen & ((predicted == c) | (target == c))))
    assert uneven("segmentation", 4, logits, torch.from_numpy(target)) == pytest.approx(
        np.mean(ious)
    )


def test_a_class_that_is_only_predicted_counts_as_missed() -> None:
    meter = meter_of("segmentation", 2)
    logits = torch.tensor([[2.0, 0.0], [0.0, 2.0]]).T.view(1, 2, 1, 2)
    meter.update(logits, torch.zeros(1, 1, 2, dtype=torch.int64))
    assert meter.value() == pytest.approx((1 / 2 + 0) / 2)


def test_relative_depth_error_is_the_mean_over_all_valid_pixels() -> None:
    rng = np.random.default_rng(2)
    target = rng.uniform(1, 5, (N, H, W))
    prediction = rng.uniform(1, 5, (N, 1, H, W))
    target[rng.random((N, H, W)) < 0.3] = 0.0
    target[1:3] = 0.0
    valid = target > 0
    expected = np.mean(np.abs(prediction[:, 0][valid] - target[valid]) / target[valid])
    found = uneven("depth", 1, prediction, torch.from_numpy(target).float())
    assert found == pytest.approx(expected, rel=1e-5)


def test_depth_rmse_is_over_the_pixels_of_the_whole_set() -> None:
    """Errors of 1 m in 3 pixels of one image and of 3 m in the one valid pixel of another."""
    target, prediction = np.full((N, 1, 4), 2.0), np.full((N, 1, 1, 4), 2.0)
    target[1:] = 0.0
    prediction[0, 0, 0, :3] = 3.0
    target[1, 0, 0], prediction[1, 0, 0, 0] = 2.0, 5.0
    found = uneven("depth", 1, prediction, torch.from_numpy(target).float(), "rmse")
    assert found == pytest.approx(np.sqrt((3 * 1.0 + 0.0 + 9.0) / 5))


def test_the_rmse_of_normals_is_no_mean() -> None:
    """Right angles and no error, half of the pixels each: the mean is 45, the RMS 63.6 degrees."""
    target, prediction = np.zeros((N, 3, 1, 2)), np.zeros((N, 3, 1, 2))
    target[:, 2] = prediction[:, 2, :, 0] = prediction[:, 0, :, 1] = 1.0
    tensor = torch.from_numpy(target).float()
    assert uneven("normals", 3, prediction, tensor) == pytest.approx(45.0)
    assert uneven("normals", 3, prediction, tensor, "rmse_angle") == pytest.approx(90 / np.sqrt(2))


def test_the_angle_between_normals_is_the_mean_over_all_valid_pixels() -> None:
    rng = np.random.default_rng(3)
    target, prediction = rng.normal(size=(2, N, 3, H, W))
    target /= np.linalg.norm(target, axis=1, keepdims=True)
    target[0, :, 2:] = 0.0
    valid = np.abs(target).sum(axis=1) > 0
    # By another formula: the angle's tangent from cross and dot product.
    cross = np.linalg.norm(np.cross(target, prediction, axis=1), axis=1)
    angle = np.degrees(np.arctan2(cross, (target * prediction).sum(axis=1)))
    found = uneven("normals", 3, prediction, torch.from_numpy(target).float())
    assert found == pytest.approx(angle[valid].mean(), rel=1e-4)


def test_perfect_normals_have_no_error() -> None:
    meter = meter_of("normals", 3)
    x_NCHW = torch.nn.functional.normalize(torch.randn(2, 3, H, W), dim=1)
    meter.update(x_NCHW, x_NCHW)
    assert meter.value() == pytest.approx(0.0, abs=0.05)


@pytest.mark.parametrize("kind", ["edges", "saliency"])
def test_the_best_threshold_is_one_for_the_whole_set(kind: TaskKind) -> None:
    rng = np.random.default_rng(4)
    probability = rng.random((N, 1, H, W)).astype(np.float32).astype(np.float64)
    target = rng.random((N, H, W)) < probability[:, 0] ** 2
    probability[3] /= 2  # an image that alone would choose another threshold
    scores = []
    sweep = np.arange(50) / 50 if kind == "edges" else np.arange(20, 91, 5) / 100
    for threshold in sweep:
        positive = probability[:, 0] >= threshold
        hit = np.sum(positive & target)
        if kind == "edges":
            precision, recall = hit / max(positive.sum(), 1), hit / target.sum()
            scores.append(2 * precision * recall / max(precision + recall, 1e-9))
        else:
            scores.append(hit / np.sum(positive | target))
    found = uneven(kind, 1, probability, torch.from_numpy(target).long())
    assert found == pytest.approx(max(scores), rel=1e-6)


@pytest.mark.parametrize("kind", ["edges", "saliency"])
def test_a_perfect_map_scores_1_and_an_empty_truth_0(kind: TaskKind) -> None:
    target = torch.zeros(1, 2, 2, dtype=torch.int64)
    target[0, 0, 0] = 1
    meter = meter_of(kind, 1)
    meter.update(target[:, None].float(), target)
    assert meter.value() == 1.0
    empty = meter_of(kind, 1)
    empty.update(torch.zeros(1, 1, 2, 2), torch.zeros(1, 2, 2, dtype=torch.int64))
    assert empty.value() == 0.0


@pytest.mark.parametrize("kind", ["edges", "saliency"])
def test_absent_maps_do_not_count(kind: TaskKind) -> None:
    meter, alone = meter_of(kind, 1), meter_of(kind, 1)
    target = torch.tensor([[[1, 0, 1, 0]], [[255, 255, 255, 255]]])
    prediction = torch.tensor([[[[0.9, 0.8, 0.1, 0.2]]], [[[0.9, 0.9, 0.0, 0.0]]]])
    meter.update(prediction, target)
    alone.update(prediction[:1], target[:1])
    assert meter.value() == alone.value() == pytest.approx(0.5 if kind == "saliency" else 2 / 3)


def test_saliency_is_swept_from_a_fifth_to_nine_tenths() -> None:
    """A map that is right at the threshold 0.1 alone is not right."""
    meter = meter_of("saliency", 1)
    meter.update(torch.tensor([[[[0.15, 0.05]]]]), torch.tensor([[[1, 0]]]))
    assert meter.value() == 0.0


def test_every_kind_has_a_meter_and_a_direction() -> None:
    lower_is_better = {k for k in get_args(TaskKind) if not metric_of(k).higher_is_better}
    assert lower_is_better == {"depth", "normals"}
    for kind in get_args(TaskKind):
        assert metric_of(kind).name in meters_of(kind, 3)
        assert {meter.value() for meter in meters_of(kind, 3).values()} == {0.0}


def test_predictions_are_enlarged_to_the_targets() -> None:
    prediction = torch.tensor([-1.0, 1.0]).view(1, 1, 1, 2)
    enlarged = to_target_size(prediction, torch.zeros(1, 1, 4))
    assert enlarged.flatten().tolist() == pytest.approx([-1.0, -0.5, 0.5, 1.0])
    logits = torch.zeros(2, 5)
    assert to_target_size(logits, torch.zeros(2)) is logits

"""The metrics of one picture against those that models are judged by in training."""

from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from model_store.manifest import OUTPUT_CHANNELS, TaskKind
from model_store.quality import ABSENT, METRICS, quality
from training.metrics import meter_of, metric_of

CLASSES = 5
SIDE = 12


def made(kind: TaskKind, seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """A prediction as the network gives it, [C, H, W] or [C], and a truth with absent parts."""
    rng = np.random.default_rng(seed)
    channels = OUTPUT_CHANNELS.get(kind, CLASSES)
    if kind == "classification":
        return rng.normal(size=channels).astype(np.float32), np.array(rng.integers(CLASSES))
    predicted = rng.random((channels, SIDE, SIDE)).astype(np.float32)
    absent = rng.random((SIDE, SIDE)) < 0.2
    match kind:
        case "segmentation":
            return predicted, np.where(absent, ABSENT, rng.integers(0, CLASSES, (SIDE, SIDE)))
        case "depth":
            metres = rng.uniform(0.5, 5, (SIDE, SIDE)).astype(np.float32)
            return predicted * 5, np.where(absent, np.float32(0), metres)
        case "normals":
            vectors = rng.normal(size=(3, SIDE, SIDE)).astype(np.float32)
            unit = vectors / np.linalg.norm(vectors, axis=0)
            return predicted - np.float32(0.5), np.where(absent, np.float32(0), unit)
        case _:
            return predicted, np.where(absent, ABSENT, rng.integers(0, 2, (SIDE, SIDE)))


def as_served(kind: TaskKind, predicted: NDArray[Any]) -> NDArray[Any]:
    match kind:
        case "classification":
            return predicted
        case "segmentation":
            return np.asarray(predicted.argmax(axis=0))
        case "normals":
            return predicted.transpose(1, 2, 0)
        case _:
            return np.asarray(predicted[0])


@pytest.mark.parametrize("kind", get_args(TaskKind))
@given(seed=st.integers(0, 1 << 32))
@settings(max_examples=20)
def test_a_picture_is_measured_as_in_training(kind: TaskKind, seed: int) -> None:
    predicted, truth = made(kind, seed)
    meter = meter_of(kind, CLASSES)
    meter.update(torch.from_numpy(predicted)[None], torch.from_numpy(truth)[None])
    served = truth.transpose(1, 2, 0) if kind == "normals" else truth
    assert quality(kind, as_served(kind, predicted), served) == pytest.approx(
        meter.value(), abs=1e-5, rel=1e-4
    )
    assert METRICS[kind] == metric_of(kind).name


@pytest.mark.parametrize("kind", get_args(TaskKind))
def test_a_truth_that_says_nothing_is_no_measurement(kind: TaskKind) -> None:
    predicted, truth = made(kind, 0)
    absent = 0 if kind in ("depth", "normals") else ABSENT
    empty = np.full_like(truth, absent)
    served = empty.transpose(1, 2, 0) if kind == "normals" else empty
    assert quality(kind, as_served(kind, predicted), served) is None

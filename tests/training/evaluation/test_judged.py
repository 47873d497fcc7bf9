"""Metrics as errors, and Δ-MTL by hand."""

import pytest

from training.evaluation.judged import Judged, delta_mtl
from training.metrics import metric_of

SEMSEG = Judged("semseg", "segmentation", metric_of("segmentation"))
DEPTH = Judged("depth", "depth", metric_of("depth"))
NORMALS = Judged("normals", "normals", metric_of("normals"))


def test_an_error_of_one_is_as_bad_as_knowing_nothing() -> None:
    assert SEMSEG.error(0.8) == pytest.approx(0.2)
    assert DEPTH.error(0.07) == pytest.approx(0.07)
    assert NORMALS.error(45.0) == pytest.approx(0.5)


def test_delta_mtl_by_hand() -> None:
    """+10% of mIoU, a relative error 20% higher, angles 5% smaller: (10 - 20 + 5) / 3."""
    base = {"semseg": 0.50, "depth": 0.10, "normals": 20.0}
    found = {"semseg": 0.55, "depth": 0.12, "normals": 19.0}
    assert delta_mtl([SEMSEG, DEPTH, NORMALS], found, base) == pytest.approx(-5 / 3)


def test_a_network_gains_nothing_over_itself() -> None:
    same = {"semseg": 0.5, "depth": 0.1, "normals": 20.0}
    assert delta_mtl([SEMSEG, DEPTH, NORMALS], same, same) == 0.0


def test_nothing_is_relative_to_zero() -> None:
    with pytest.raises(ValueError, match="task 'semseg': nothing is relative to a miou of 0"):
        SEMSEG.gain(0.5, 0.0)

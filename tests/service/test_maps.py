import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from service import maps
from service.maps import class_map, resize, unit_vectors

SIDES = st.integers(1, 12)


def bilinear(map_HW: NDArray[np.float32], height: int, width: int) -> NDArray[np.float64]:
    """Bilinear interpolation with half-pixel centres and clamped borders, written out."""

    def weights(small: int, large: int) -> NDArray[np.float64]:
        centres = (np.arange(large) + 0.5) * small / large - 0.5
        distance = np.abs(centres.clip(0, small - 1)[:, None] - np.arange(small)[None])
        return np.asarray(np.maximum(0, 1 - distance))

    rows, columns = weights(map_HW.shape[0], height), weights(map_HW.shape[1], width)
    stretched: NDArray[np.float64] = rows @ map_HW @ columns.T
    return stretched


def noise(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


@given(SIDES, SIDES, st.integers(1, 4), st.integers(1, 4))
def test_enlarging_is_bilinear(height: int, width: int, times: int, across: int) -> None:
    small = noise(height, width)
    large = resize(small, height * times, width * across)
    expected = bilinear(small, height * times, width * across)
    np.testing.assert_allclose(large, expected, atol=1e-5)


@given(SIDES, SIDES, SIDES, SIDES)
def test_a_constant_stays_constant(height: int, width: int, high: int, wide: int) -> None:
    np.testing.assert_allclose(resize(np.full((height, width), 3.5, np.float32), high, wide), 3.5)


@given(st.integers(1, 5), st.integers(2, 9), st.integers(9, 40))
def test_classes_are_compared_after_interpolation(classes: int, small: int, large: int) -> None:
    logits = noise(classes, small, small)
    expected = np.stack([bilinear(c, large, large + 3) for c in logits]).argmax(axis=0)
    found = class_map(logits, large, large + 3)
    assert found.dtype == np.uint16
    assert (found == expected).mean() > 0.99  # the rest are ties within rounding


def test_strips_leave_no_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    logits = noise(4, 8, 8)
    whole = class_map(logits, 50, 60)
    monkeypatch.setattr(maps, "_STRIP_PIXELS", 60 * 7)
    assert np.array_equal(class_map(logits, 50, 60), whole)


def test_vectors_have_unit_length_again() -> None:
    stretched = unit_vectors(noise(3, 5, 6), 20, 30)
    assert stretched.shape == (20, 30, 3)
    np.testing.assert_allclose(np.linalg.norm(stretched, axis=-1), 1, atol=1e-5)

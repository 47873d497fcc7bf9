"""Thinning, against maps worked out by hand and properties of lines."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import label  # type: ignore[import-untyped]

from training.data.thinning import thinned


def drawn(*rows: str) -> NDArray[np.bool_]:
    return np.array([[c == "#" for c in row] for row in rows])


def test_a_band_of_three_becomes_a_line() -> None:
    band = np.zeros((9, 12), bool)
    band[3:6] = True
    found = thinned(band)
    assert (found[:, 2:-2].sum(axis=0) == 1).all()
    assert not found[[0, 1, 2, 3, 5, 6, 7, 8]].any()


def test_a_line_is_left_as_it_is() -> None:
    line = drawn(".....", ".###.", "....#", "....#", ".....")
    assert np.array_equal(thinned(line), line)


def test_a_ring_stays_closed() -> None:
    ring = np.zeros((12, 12), bool)
    ring[2:10, 2:10] = True
    ring[5:7, 5:7] = False
    found = thinned(ring)
    holes, count = label(~found)
    assert count == 2
    assert holes[0, 0] != holes[5, 5]


maps = st.integers(0, 2**32 - 1).map(
    lambda seed: np.random.default_rng(seed).random((14, 17)) < 0.6
)


@settings(max_examples=40, derandomize=True)
@given(maps)
def test_nothing_is_added_or_disconnected(mask: NDArray[np.bool_]) -> None:
    found = thinned(mask)
    assert not (found & ~mask).any()
    eight = np.ones((3, 3))
    regions, count = label(mask, eight)
    assert label(found, eight)[1] == count
    assert set(regions[found]) == set(range(1, count + 1)), "every region is still there"
    assert np.array_equal(thinned(found), found)

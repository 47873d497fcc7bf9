"""The hypervolume against volumes that can be computed by hand or counted."""

import numpy as np
import pytest

from training.hypervolume import hypervolume


def test_one_point_dominates_a_box() -> None:
    assert hypervolume(np.array([[0.25, 0.5]]), 1.0) == pytest.approx(0.75 * 0.5)


def test_two_overlapping_boxes_count_their_overlap_once() -> None:
    # Boxes of 0.9 x 0.2 and 0.2 x 0.9 that share 0.2 x 0.2.
    points = np.array([[0.1, 0.8], [0.8, 0.1]])
    assert hypervolume(points, 1.0) == pytest.approx(0.18 + 0.18 - 0.04)


def test_dominated_and_distant_points_add_nothing() -> None:
    best = np.array([[0.2, 0.2, 0.2]])
    more = np.array([[0.2, 0.2, 0.2], [0.3, 0.4, 0.2], [0.1, 0.1, 1.5]])
    assert hypervolume(more, 1.0) == pytest.approx(hypervolume(best, 1.0))
    assert hypervolume(np.array([[2.0, 0.1]]), 1.0) == 0.0


@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_share_of_a_fine_grid_that_some_point_dominates(seed: int) -> None:
    points = np.random.default_rng(seed).random((6, 3))
    axis = (np.arange(100) + 0.5) / 100
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    dominated = np.zeros(len(grid), dtype=bool)
    for point in points:
        dominated |= np.all(grid >= point, axis=1)
    assert hypervolume(points, 1.0) == pytest.approx(dominated.mean(), abs=0.02)


def test_twenty_points_in_twenty_dimensions_are_exact() -> None:
    # All boxes share one corner cell; only the first coordinate differs, so they are nested.
    points = np.full((20, 20), 0.5)
    points[:, 0] = np.linspace(0.1, 0.9, 20)
    assert hypervolume(points, 1.0) == pytest.approx(0.9 * 0.5**19, rel=1e-9)


def test_too_many_points_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 24"):
        hypervolume(np.zeros((25, 2)), 1.0)

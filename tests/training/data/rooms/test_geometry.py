"""Rays against single solids, where the answer is plain."""

from __future__ import annotations

import numpy as np
import pytest

from training.data.rooms.geometry import Rays, Shape, Vec3, entry, rays

ALL_SHAPES = pytest.mark.parametrize("shape", list(Shape))


def bundle(origin: Vec3, *directions: Vec3) -> Rays:
    x, y, z = np.array(directions, np.float32).T
    ox, oy, oz = np.array(origin, np.float32)
    return rays((ox, oy, oz), (x, y, z))


@ALL_SHAPES
def test_a_ray_enters_where_the_surface_crosses_the_axis(shape: Shape) -> None:
    ahead = bundle((0.0, -5.0, 1.0), (0.0, 1.0, 0.0))
    assert entry(shape, (0.0, 0.0, 1.0), (1.0, 2.0, 3.0), ahead) == pytest.approx([3.0])


@ALL_SHAPES
def test_t_counts_in_lengths_of_the_direction(shape: Shape) -> None:
    ahead = bundle((0.0, -5.0, 0.0), (0.0, 0.5, 0.0))
    assert entry(shape, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), ahead) == pytest.approx([8.0])


@ALL_SHAPES
def test_misses_are_infinite(shape: Shape) -> None:
    aside = bundle((0.0, -5.0, 0.0), (1.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    assert np.isinf(entry(shape, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), aside)).all()


@ALL_SHAPES
def test_a_solid_behind_or_around_the_origin_is_not_entered(shape: Shape) -> None:
    behind = bundle((0.0, 5.0, 0.0), (0.0, 1.0, 0.1))
    inside = bundle((0.2, 0.1, 0.0), (0.0, 1.0, 0.1))
    for start in (behind, inside):
        assert np.isinf(entry(shape, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), start)).all()


def test_only_the_box_reaches_into_the_corner_of_its_bounds() -> None:
    # At x = z = 0.9 the box is there, the ball is not; at x = 0.9, z = 0 both curve away.
    corner = bundle((0.9, -5.0, 0.9), (0.0, 1.0, 0.0))
    entries = [float(entry(s, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), corner)[0]) for s in Shape]
    box, ball, cylinder = entries
    assert box == pytest.approx(4.0)
    assert np.isinf(ball)
    assert cylinder == pytest.approx(5.0 - np.sqrt(1 - 0.9**2), abs=1e-5)


def test_a_cylinder_is_entered_through_its_cap_from_above() -> None:
    down = bundle((0.5, 0.0, 9.0), (0.0, 0.0, -1.0), (0.0, 0.9, -1.0))
    t = entry(Shape.CYLINDER, (0.0, 0.0, 0.0), (1.0, 1.0, 2.0), down)
    assert t[0] == pytest.approx(7.0)
    assert np.isinf(t[1])


def test_thin_poles_keep_their_precision_across_the_room() -> None:
    radius = 0.015
    pole = bundle((0.0, -6.0, 0.0), (0.002, 1.0, 0.0))
    t = float(entry(Shape.CYLINDER, (0.0, 0.0, 0.0), (radius, radius, 1.0), pole)[0])
    distance_from_axis = np.hypot(np.float64(np.float32(0.002)) * t, t - 6.0)
    assert distance_from_axis == pytest.approx(radius, rel=1e-3)

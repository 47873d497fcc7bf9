"""Rooms are furnished the way rooms are."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from numpy.typing import NDArray

from training.data.rooms.furnishing import furnish
from training.data.rooms.scene import Item, Scene

SEEDS = pytest.mark.parametrize("seed", range(20))


def room(seed: int) -> Scene:
    return furnish(np.random.default_rng(seed))


def bounds(item: Item) -> NDArray[np.float64]:
    """(2, 3) least and greatest corner of the boxes around all solids, in the room."""
    corners = [
        item.in_room((c[0] + i * h[0], c[1] + j * h[1], c[2] + k * h[2]))
        for c, h in ((solid.centre, solid.half) for solid in item.piece.solids)
        for i, j, k in product((-1, 1), repeat=3)
    ]
    return np.array([np.min(corners, axis=0), np.max(corners, axis=0)])


@SEEDS
def test_furniture_stands_inside_the_room(seed: int) -> None:
    scene = room(seed)
    for item in scene.items:
        low, high = bounds(item)
        assert (low > -0.1).all()  # frames of windows may reach a little into a corner
        assert (high < np.array(scene.size) + 0.1).all()


@SEEDS
def test_nothing_stands_within_a_metre_of_the_camera(seed: int) -> None:
    scene = room(seed)
    camera = np.array(scene.camera.position[:2])
    for item in scene.items:
        low, high = bounds(item)[:, :2]
        assert np.linalg.norm(np.clip(camera, low, high) - camera) > 1.0


@SEEDS
def test_furniture_does_not_stand_in_other_furniture(seed: int) -> None:
    items = [item for item in room(seed).items if item.piece.label != "floor"]
    for a, b in combinations(items, 2):
        if {a.piece.label, b.piece.label} != {"table", "chair"}:
            (low_a, high_a), (low_b, high_b) = bounds(a), bounds(b)
            overlap = np.minimum(high_a, high_b) - np.maximum(low_a, low_b)
            assert overlap.min() < 0.06, (a.piece.label, b.piece.label)


@SEEDS
def test_large_furniture_stands_with_its_back_to_a_wall(seed: int) -> None:
    scene = room(seed)
    for item in scene.items:
        if item.piece.label in {"bed", "sofa", "cabinet", "door", "window"}:
            to_wall = min(item.x, scene.size[0] - item.x, scene.size[1] - item.y)
            assert to_wall == pytest.approx(0.0)


@SEEDS
def test_every_piece_stands_on_the_floor_or_hangs_on_its_wall_within_its_footprint(
    seed: int,
) -> None:
    for item in room(seed).items:
        piece = item.piece
        lowest = min(solid.centre[2] - solid.half[2] for solid in piece.solids)
        assert lowest == pytest.approx(0.85 if piece.label == "window" else 0.0, abs=0.06)
        for solid in piece.solids:
            x, y, _ = solid.centre
            reach, deep, _ = solid.half
            assert abs(x) + reach < piece.width / 2 + 0.07
            assert y - deep > -0.05
            assert y + deep < piece.depth + 0.05


@SEEDS
def test_the_camera_stands_in_the_room_at_eye_height(seed: int) -> None:
    scene = room(seed)
    x, y, z = scene.camera.position
    assert 0 < x < scene.size[0]
    assert 0 < y < scene.size[1]
    assert 1.4 < z < 1.7

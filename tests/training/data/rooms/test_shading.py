"""Shadows fall where furniture stands between a light and a surface."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from training.data.rooms.furnishing import furnish
from training.data.rooms.furniture import Piece, Solid
from training.data.rooms.geometry import Shape
from training.data.rooms.materials import plain
from training.data.rooms.render import photograph
from training.data.rooms.scene import Item, Scene
from training.data.rooms.visibility import blocked


def empty_room() -> Scene:
    return replace(furnish(np.random.default_rng(0)), items=())


def with_slab(scene: Scene, shape: Shape, label: str = "table") -> Scene:
    """A slab of 1 m x 1 m floats at 1 m in the middle of the room, turned by 30 degrees."""
    slab = Solid(shape, (0.0, 0.0, 1.0), (0.5, 0.5, 0.05), plain((0.5, 0.5, 0.5)))
    item = Item(Piece(label, 1.0, 1.0, (slab,)), scene.size[0] / 2, scene.size[1] / 2, np.pi / 6)
    return replace(scene, items=(item,))


@pytest.mark.parametrize("shape", list(Shape))
def test_only_points_behind_the_solid_are_in_its_shadow(shape: Shape) -> None:
    scene = with_slab(empty_room(), shape)
    x, y = scene.size[0] / 2, scene.size[1] / 2
    points = np.array([[x, y, 0.0], [x + 1.2, y, 0.0], [x, y, 1.2], [x, y, 0.5]], np.float32).T
    lights = np.array([[x, y, 2.3], [x + 1.2, y, 2.3], [x, y, 2.3], [x, y, 0.8]], np.float32).T
    np.testing.assert_array_equal(blocked(scene, points, lights), [True, False, False, False])


def test_the_floor_below_a_table_is_darker_than_without_it() -> None:
    bare = empty_room()
    dark = with_slab(bare, Shape.BOX)
    before, after = (photograph(s, np.random.default_rng(0), 64, 64) for s in (bare, dark))
    floor = (before.semseg_HW == 1) & (after.semseg_HW == 1)
    darker = before.image_HWC[floor].mean(axis=-1) - after.image_HWC[floor].mean(axis=-1)
    assert darker.max() > 15
    assert darker.min() > -1


def test_the_same_room_looks_the_same_but_for_the_sensor_noise() -> None:
    scene = empty_room()
    first, second = (photograph(scene, np.random.default_rng(s), 64, 64) for s in (1, 2))
    difference = first.image_HWC.astype(float) - second.image_HWC
    assert 1 < difference.std() < 5
    np.testing.assert_array_equal(first.depth_HW, second.depth_HW)


def test_borders_between_light_and_dark_are_anti_aliased() -> None:
    scene = empty_room()
    black, white = plain((0.0, 0.0, 0.0)), replace(plain((1.0, 1.0, 1.0)), glow=5.0)
    scene = replace(scene, shell=(white, white, white, white, black, black))
    image = photograph(scene, np.random.default_rng(0), 64, 64).image_HWC[..., 0]
    between = (image > 40) & (image < 215)
    assert 10 < between.sum() < 400

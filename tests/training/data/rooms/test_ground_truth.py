"""The dense targets against an independent, slow ray caster and against geometry itself."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.training.data.rooms.reference import first_hit
from training.data.rooms import CLASSES, Sample
from training.data.rooms.camera import FOCAL
from training.data.rooms.furnishing import furnish
from training.data.rooms.render import photograph
from training.data.rooms.scene import Scene

SIZE = 64
SEEDS = pytest.mark.parametrize("seed", [1, 2, 3])


@cache
def scene_and_sample(seed: int) -> tuple[Scene, Sample]:
    rng = np.random.default_rng(seed)
    scene = furnish(rng)
    return scene, photograph(scene, rng, SIZE, SIZE)


def pixel_rays() -> NDArray[np.float64]:
    """Rays of a pinhole camera through the pixel centres: x right, y down, z forward."""
    offset = (np.arange(SIZE) + 0.5 - SIZE / 2) / (FOCAL * SIZE)
    x, y = np.meshgrid(offset, offset)
    return np.stack([x, y, np.ones_like(x)], axis=-1)


@SEEDS
def test_pixels_agree_with_a_brute_force_ray_caster(seed: int) -> None:
    scene, sample = scene_and_sample(seed)
    axes, through = scene.camera.axes(), pixel_rays()
    for row, column in np.random.default_rng(seed).integers(SIZE, size=(250, 2)):
        truth = first_hit(scene, axes.T @ through[row, column])
        assert sample.depth_HW[row, column] == pytest.approx(truth.depth, abs=1e-3)
        assert CLASSES[sample.semseg_HW[row, column]] == truth.label
        np.testing.assert_allclose(sample.normals_HWC[row, column], axes @ truth.normal, atol=0.01)


def test_the_field_of_view_is_64_degrees_high() -> None:
    assert np.rad2deg(2 * np.arctan(0.5 / FOCAL)) == pytest.approx(64.0, abs=0.1)


@SEEDS
def test_back_projected_depth_lies_on_the_floor_the_ceiling_and_the_walls(seed: int) -> None:
    scene, sample = scene_and_sample(seed)
    in_camera = pixel_rays() * sample.depth_HW[..., None]
    in_room = in_camera @ scene.camera.axes() + scene.camera.position
    ceiling = in_room[sample.semseg_HW == CLASSES.index("ceiling")]
    floor = in_room[sample.semseg_HW == CLASSES.index("floor")]
    wall = in_room[sample.semseg_HW == CLASSES.index("wall")]
    width, depth, height = scene.size
    np.testing.assert_allclose(ceiling[:, 2], height, atol=1e-4)
    assert (floor[:, 2] < 0.004).all()  # rugs are a little thick
    assert (floor[:, 2] > -1e-4).all()
    x, y = wall[:, 0], wall[:, 1]
    to_wall = np.min([np.abs(x), np.abs(x - width), np.abs(y), np.abs(y - depth)], axis=0)
    np.testing.assert_allclose(to_wall, 0.0, atol=1e-4)


@SEEDS
def test_normals_are_the_cross_product_of_back_projected_depth_on_flat_regions(seed: int) -> None:
    _, sample = scene_and_sample(seed)
    points = pixel_rays() * sample.depth_HW[..., None]
    right, down = points[1:-1, 2:] - points[1:-1, :-2], points[2:, 1:-1] - points[:-2, 1:-1]
    crossed = np.cross(down, right)
    crossed /= np.linalg.norm(crossed, axis=-1, keepdims=True)
    # Flat: on the room's own planes, away from every edge.
    edge = sample.edges_HW.astype(bool)
    near_edge = (
        edge[1:-1, 1:-1] | edge[1:-1, 2:] | edge[1:-1, :-2] | edge[2:, 1:-1] | edge[:-2, 1:-1]
    )
    planes = np.isin(sample.semseg_HW, [CLASSES.index(c) for c in ("wall", "floor", "ceiling")])
    flat = planes[1:-1, 1:-1] & ~near_edge
    assert flat.mean() > 0.2
    cosine = np.sum(crossed * sample.normals_HWC[1:-1, 1:-1], axis=-1)[flat]
    assert cosine.min() > 0.999


@SEEDS
def test_normals_are_unit_vectors_that_face_the_camera(seed: int) -> None:
    _, sample = scene_and_sample(seed)
    np.testing.assert_allclose(np.linalg.norm(sample.normals_HWC, axis=-1), 1.0, atol=1e-5)
    assert (np.sum(sample.normals_HWC * pixel_rays(), axis=-1) < 1e-3).all()


@SEEDS
def test_the_floor_points_up_and_the_ceiling_down(seed: int) -> None:
    _, sample = scene_and_sample(seed)
    up = -sample.normals_HWC[..., 1]  # camera y runs down; the pitch is under 20 degrees
    assert (up[sample.semseg_HW == CLASSES.index("ceiling")] < -0.9).all()
    floor = up[sample.semseg_HW == CLASSES.index("floor")]
    assert np.median(floor) > 0.9


def test_depth_and_classes_do_not_depend_on_the_resolution() -> None:
    # At three times the size, every third pixel's centre is the same ray.
    scene, small = scene_and_sample(1)
    large = photograph(scene, np.random.default_rng(0), 3 * SIZE, 3 * SIZE)
    same = np.abs(large.depth_HW[1::3, 1::3] - small.depth_HW) < 1e-3
    assert same.mean() > 0.999  # a ray along a silhouette may fall to either side
    np.testing.assert_array_equal(large.semseg_HW[1::3, 1::3][same], small.semseg_HW[same])

"""Edges and saliency, on hand-made buffers and on rendered rooms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.data.rooms.geometry import F32
from training.data.rooms.targets import edges, saliency

Buffers = tuple[NDArray[np.intp], F32, F32]


def wall_ahead(size: int = 8) -> Buffers:
    """One instance, a plane at 2 m that faces the camera."""
    column, row = np.meshgrid(np.arange(size), np.arange(size))
    point = np.stack([0.03 * column, 0.03 * row, np.full((size, size), 2.0)], axis=-1)
    normal = np.zeros((size, size, 3), np.float32)
    normal[..., 2] = -1.0
    return np.zeros((size, size), np.intp), point.astype(np.float32), normal


def test_a_plane_has_no_edges() -> None:
    assert not edges(*wall_ahead()).any()


def test_a_plane_seen_at_a_grazing_angle_has_no_edges_although_its_depth_jumps() -> None:
    instance, point, normal = wall_ahead()
    point[..., 2] = 2.0 + 10 * point[..., 0]  # 30 cm of depth from pixel to pixel
    normal[:] = np.array([10.0, 0.0, -1.0]) / np.sqrt(101.0)
    assert not edges(instance, point, normal).any()


def test_a_change_of_instance_marks_both_sides() -> None:
    instance, point, normal = wall_ahead()
    instance[:, 4:] = 1
    marked = edges(instance, point, normal)
    assert marked[:, 3:5].all()
    assert marked.sum() == 16


def test_a_step_in_depth_is_an_edge_from_six_centimetres_on() -> None:
    for step, expected in ((0.05, 0), (0.07, 16)):
        instance, point, normal = wall_ahead()
        point[4:, :, 2] += step
        assert edges(instance, point, normal).sum() == expected


def test_a_crease_is_an_edge_from_forty_degrees_on() -> None:
    for degrees, expected in ((38.0, 0), (42.0, 16)):
        instance, point, normal = wall_ahead()
        turn = np.deg2rad(degrees)
        normal[:, 4:] = (np.sin(turn), 0.0, -np.cos(turn))
        point[..., 2] = 2.0
        # The right half leans back from the fold, as its normals say.
        point[:, 4:, 2] += np.tan(turn) * (point[:, 4:, 0] - point[:, 3:4, 0])
        assert edges(instance, point, normal).sum() == expected


def test_the_object_that_fills_the_middle_is_salient_though_another_is_larger() -> None:
    instance = np.zeros((64, 64), np.intp)
    instance[:, :12] = 1  # large, at the border
    instance[24:40, 24:40] = 2
    mask = saliency(instance, frozenset({1, 2}))
    np.testing.assert_array_equal(mask, instance == 2)


def test_of_two_objects_equally_far_out_the_larger_is_salient() -> None:
    instance = np.zeros((64, 64), np.intp)
    instance[20:30, 4:14] = 1
    instance[20:32, 50:60] = 2
    np.testing.assert_array_equal(saliency(instance, frozenset({1, 2})), instance == 2)


def test_the_room_itself_is_never_salient() -> None:
    instance = np.zeros((32, 32), np.intp)
    instance[:4, :4] = 7
    np.testing.assert_array_equal(saliency(instance, frozenset({7, 9})), instance == 7)


def test_nothing_is_salient_in_an_empty_room() -> None:
    assert not saliency(np.zeros((32, 32), np.intp), frozenset({7})).any()

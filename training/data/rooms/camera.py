"""A pinhole camera: where it looks, the rays through its pixels, and what a box covers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.rooms.geometry import F32, Vec3

FOCAL = 0.8
"""Focal length as a multiple of the image height: a fixed vertical field of view of 64 degrees,
so that a network can learn metric depth."""

# Corners nearer than this to the camera plane have no useful projection.
_NEAR = 0.05


@dataclass(frozen=True)
class Camera:
    """A level camera in the room's frame (x and y along the walls, z up).

    Attributes:
        position: its centre, metres.
        heading: direction it looks along the floor, radians from +y towards +x.
        pitch: radians it looks up; negative looks down.
    """

    position: Vec3
    heading: float
    pitch: float

    def axes(self) -> NDArray[np.float64]:
        """The camera's right, down and forward as the rows of a (3, 3) rotation."""
        sin, cos = np.sin(self.heading), np.cos(self.heading)
        up, level = np.sin(self.pitch), np.cos(self.pitch)
        right = np.array([cos, -sin, 0.0])
        forward = np.array([level * sin, level * cos, up])
        return np.stack([right, np.cross(forward, right), forward])


def lattice(camera: Camera, height: int, width: int) -> tuple[F32, F32, F32]:
    """Ray directions through a lattice of half-pixel steps, in the room's frame.

    Row ``2 i + 1`` and column ``2 j + 1`` pass through the centre of pixel (i, j); the others
    through pixel borders, for anti-aliasing. Directions have length 1 along the camera axis,
    so that the ``t`` of a hit is its depth.

    Returns:
        x, y and z, each (2 height + 1, 2 width + 1).
    """
    focal = FOCAL * height
    column = (np.arange(2 * width + 1) - width) / (2 * focal)
    row = (np.arange(2 * height + 1) - height) / (2 * focal)
    right, down, forward = camera.axes()
    x, y, z = (
        (row[:, None] * down[k] + (column[None, :] * right[k] + forward[k])).astype(np.float32)
        for k in range(3)
    )
    return x, y, z


def covered(
    camera: Camera, corners: NDArray[np.float64], height: int, width: int
) -> NDArray[np.int64]:
    """Rectangles of the lattice that hold the image of each convex solid.

    Args:
        camera: the camera.
        corners: (N, K, 3) points whose hull holds each solid, in the room's frame, metres.
        height: image height in pixels.
        width: image width in pixels.

    Returns:
        (N, 4) first row, end row, first column, end column; empty where nothing is visible,
        the whole lattice where a solid reaches behind the camera.
    """
    x, y, z = np.moveaxis((corners - camera.position) @ camera.axes().T, -1, 0)
    behind = z < _NEAR
    scale = 2 * FOCAL * height / np.where(behind, 1.0, z)
    rows, columns = height + y * scale, width + x * scale
    ends = np.array([2 * height + 1, 2 * height + 1, 2 * width + 1, 2 * width + 1])
    bounds = np.stack(
        [
            np.floor(rows.min(axis=1)),
            np.ceil(rows.max(axis=1)) + 1,
            np.floor(columns.min(axis=1)),
            np.ceil(columns.max(axis=1)) + 1,
        ],
        axis=1,
    )
    clipped: NDArray[np.int64] = np.clip(bounds, 0, ends).astype(np.int64)
    clipped[behind.any(axis=1)] = (0, ends[0], 0, ends[2])
    clipped[behind.all(axis=1)] = 0
    return clipped

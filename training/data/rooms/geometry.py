"""Rays against solids: every solid is a unit box, ball or cylinder stretched along its axes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

F32: TypeAlias = NDArray[np.float32]
Vec3: TypeAlias = tuple[float, float, float]
Coordinate: TypeAlias = F32 | np.float32

# A direction this close to a plane is nudged off it, so that its reciprocal stays finite.
_PARALLEL = np.float32(1e-9)


class Shape(IntEnum):
    """The unit shapes, each spanning [-1, 1] on every axis; a cylinder stands on the z axis."""

    BOX = 0
    BALL = 1
    CYLINDER = 2


@dataclass(frozen=True, eq=False)
class Rays:
    """A bundle of rays ``origin + t * direction`` in one frame, one array per coordinate.

    Attributes:
        origin: x, y and z of the origins in metres, scalars where all rays share one.
        direction: x, y and z of the directions, any length; ``t`` counts in that length.
        reciprocal: one over each direction coordinate, always finite.
    """

    origin: tuple[Coordinate, Coordinate, Coordinate]
    direction: tuple[F32, F32, F32]
    reciprocal: tuple[F32, F32, F32]

    def part(self, where: tuple[slice, slice]) -> Rays:
        """The rays of a rectangle of an image-shaped bundle with one shared origin."""
        (dx, dy, dz), (rx, ry, rz) = self.direction, self.reciprocal
        return Rays(
            self.origin,
            (dx[where], dy[where], dz[where]),
            (rx[where], ry[where], rz[where]),
        )


def rays(
    origin: tuple[Coordinate, Coordinate, Coordinate], direction: tuple[F32, F32, F32]
) -> Rays:
    """Bundle rays, nudging directions that run exactly along a coordinate plane."""
    x, y, z = (_off_plane(d) for d in direction)
    one = np.float32(1)
    return Rays(origin, (x, y, z), (one / x, one / y, one / z))


def _off_plane(d: F32) -> F32:
    nudged: F32 = np.where(np.abs(d) < _PARALLEL, _PARALLEL, d)
    return nudged


def dot(a: F32, b: F32) -> F32:
    """Inner products of two arrays of vectors, (3, N) and (3, N) or (3, 1), as (N,)."""
    product: F32 = a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
    return product


def turned(x: Coordinate, y: Coordinate, yaw: float) -> tuple[Coordinate, Coordinate]:
    """Turn x and y by ``yaw`` radians about the vertical, counter-clockwise seen from above."""
    cos, sin = np.float32(np.cos(yaw)), np.float32(np.sin(yaw))
    return cos * x - sin * y, sin * x + cos * y


def entry(shape: Shape, centre: Vec3, half: Vec3, bundle: Rays) -> F32:
    """Where each ray enters a solid from outside.

    Args:
        shape: which unit shape is stretched.
        centre: its centre in the frame of the rays, metres.
        half: its half extent along x, y and z, metres, each above zero.
        bundle: the rays.

    Returns:
        The smallest ``t > 0`` of entry for each ray, infinity where it misses or starts inside.
    """
    if shape is Shape.BOX:
        near, far = _slab(0, centre, half, bundle)
        for axis in (1, 2):
            low, high = _slab(axis, centre, half, bundle)
            np.maximum(near, low, out=near)
            np.minimum(far, high, out=far)
        inside = near < far
    else:
        near, far, inside = _round(shape, centre, half, bundle)
    inside &= near > 0
    near[~inside] = np.inf
    return near


def _slab(axis: int, centre: Vec3, half: Vec3, bundle: Rays) -> tuple[F32, F32]:
    """Where rays enter and leave the layer between two parallel faces."""
    reciprocal = bundle.reciprocal[axis]
    middle = (np.float32(centre[axis]) - bundle.origin[axis]) * reciprocal
    reach = np.float32(half[axis]) * np.abs(reciprocal)
    return middle - reach, middle + reach


def _round(
    shape: Shape, centre: Vec3, half: Vec3, bundle: Rays
) -> tuple[F32, F32, NDArray[np.bool_]]:
    """Where rays enter and leave a ball or a cylinder, and whether they meet it at all."""
    scale = [np.float32(1 / h) for h in half]
    p = [(bundle.origin[i] - np.float32(centre[i])) * scale[i] for i in range(3)]
    d = [bundle.direction[i] * scale[i] for i in range(3)]
    # |d|^2 - |p x d|^2 is the usual discriminant b^2 - a c without its cancellation, which
    # in single precision would spoil a lamp's thin pole seen from across the room.
    a = d[0] * d[0] + d[1] * d[1]
    b = p[0] * d[0] + p[1] * d[1]
    cross = p[0] * d[1] - p[1] * d[0]
    if shape is Shape.BALL:
        a += d[2] * d[2]
        b += p[2] * d[2]
        discriminant = a - cross * cross
        for i, j in ((1, 2), (2, 0)):
            cross = p[i] * d[j] - p[j] * d[i]
            discriminant -= cross * cross
    else:
        discriminant = a - cross * cross
    inside = discriminant > 0
    root = np.sqrt(np.maximum(discriminant, 0))
    near, far = (-b - root) / a, (root - b) / a
    if shape is Shape.CYLINDER:
        low, high = _slab(2, centre, half, bundle)
        near, far = np.maximum(near, low), np.minimum(far, high)
        inside &= near < far
    return near, far, inside

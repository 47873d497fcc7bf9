"""An independent, slow ray caster in double precision to hold the renderer against.

It works in the room's frame on one ray at a time and shares no formula with the renderer: solids
are intersected face by face or by the textbook quadratic instead of by stretched unit shapes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.rooms.geometry import Shape
from training.data.rooms.scene import Item, Scene

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Hit:
    depth: float
    normal: Vector  # in the room's frame
    label: str
    instance: int  # -1 for the room itself


def first_hit(scene: Scene, direction: Vector) -> Hit:
    """The nearest hit of ``camera + depth * direction`` among all faces of all solids."""
    origin = np.array(scene.camera.position)
    hits = _shell_hits(scene, origin, direction)
    for instance, item in enumerate(scene.items):
        turn = _turn(item.yaw)
        o = turn.T @ (origin - (item.x, item.y, 0.0))
        d = turn.T @ direction
        for solid in item.piece.solids:
            found = _intersect(solid.shape, np.array(solid.centre), np.array(solid.half), o, d)
            hits += [Hit(t, turn @ n, item.piece.label, instance) for t, n in found]
    return min((hit for hit in hits if hit.depth > 1e-9), key=lambda hit: hit.depth)


def to_item(item: Item, point: Vector) -> Vector:
    """A point of the room in the frame of an item."""
    local: Vector = _turn(item.yaw).T @ (point - (item.x, item.y, 0.0))
    return local


def _turn(yaw: float) -> Vector:
    c, s = math.cos(yaw), math.sin(yaw)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def _shell_hits(scene: Scene, o: Vector, d: Vector) -> list[Hit]:
    hits = []
    for axis, labels in enumerate((("wall", "wall"), ("wall", "wall"), ("floor", "ceiling"))):
        for side, label in enumerate(labels):
            inward = np.zeros(3)
            inward[axis] = 1.0 - 2.0 * side
            t = (side * scene.size[axis] - o[axis]) / d[axis]
            if t > 0:
                hits.append(Hit(float(t), inward, label, -1))
    return hits


def _intersect(
    shape: Shape, centre: Vector, half: Vector, o: Vector, d: Vector
) -> list[tuple[float, Vector]]:
    if shape is Shape.BOX:
        return _faces(centre, half, o, d, (0, 1, 2), round_=False)
    matrix = np.diag(1 / half**2)
    if shape is Shape.CYLINDER:
        matrix[2, 2] = 0.0
    p = o - centre
    a, b, c = d @ matrix @ d, 2 * (p @ matrix @ d), p @ matrix @ p - 1
    found: list[tuple[float, Vector]] = []
    if b * b >= 4 * a * c:
        for sign in (-1.0, 1.0):
            t = float((-b + sign * math.sqrt(b * b - 4 * a * c)) / (2 * a))
            q = p + t * d
            if shape is Shape.BALL or abs(q[2]) <= half[2]:
                normal = matrix @ q
                found.append((t, normal / np.linalg.norm(normal)))
    if shape is Shape.CYLINDER:
        found += _faces(centre, half, o, d, (2,), round_=True)
    return found


def _faces(
    centre: Vector, half: Vector, o: Vector, d: Vector, axes: tuple[int, ...], *, round_: bool
) -> list[tuple[float, Vector]]:
    """Hits of flat faces: rectangles, or the discs that close a cylinder."""
    found = []
    for axis in axes:
        for sign in (-1.0, 1.0):
            t = (centre[axis] + sign * half[axis] - o[axis]) / d[axis]
            q = (o + t * d - centre) / half
            others = np.delete(q, axis)
            inside = np.hypot(*others) <= 1 if round_ else (np.abs(others) <= 1).all()
            if inside:
                normal = np.zeros(3)
                normal[axis] = sign
                found.append((float(t), normal))
    return found

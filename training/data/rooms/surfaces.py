"""The surface behind every ray: where it is, how it is turned and what it belongs to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.rooms.classes import CLASSES, SHELL
from training.data.rooms.geometry import F32, Shape, dot
from training.data.rooms.materials import Material
from training.data.rooms.scene import Scene
from training.data.rooms.visibility import Hits


@dataclass(frozen=True, eq=False)
class Catalogue:
    """One row per solid of a scene, in the order of ``Hits.solid_L``.

    Attributes:
        shape_S: ``Shape`` of each solid.
        facing_S: 1 for solids seen from outside, -1 for the room, seen from inside.
        centre_S3: centre in the item's frame, metres.
        half_S3: half extents, metres.
        place_S4: the item's x and y in metres, and cosine and sine of its yaw.
        class_S: index into ``CLASSES``.
        instance_S: 0 to 5 for the room's faces, then one number per item.
        materials: material of each solid.
    """

    shape_S: NDArray[np.intp]
    facing_S: F32
    centre_S3: F32
    half_S3: F32
    place_S4: F32
    class_S: NDArray[np.uint8]
    instance_S: NDArray[np.intp]
    materials: tuple[Material, ...]


@dataclass(frozen=True, eq=False)
class Surfaces:
    """Surface points in the room's frame and in the frame of their solid.

    Attributes:
        solid_N: index of the solid.
        point_3N: position in the room, metres.
        local_3N: position relative to the solid's centre along the item's axes, metres.
        normal_3N: unit normal in the room's frame, towards the side the surface is seen from.
        face_N: which smooth face of its solid the point lies on, 0 to 2.
    """

    solid_N: NDArray[np.intp]
    point_3N: F32
    local_3N: F32
    normal_3N: F32
    face_N: NDArray[np.intp]


def catalogue(scene: Scene) -> Catalogue:
    """List the solids of a scene."""
    middle = tuple(extent / 2 for extent in scene.size)
    shell = len(SHELL)
    rows = [(Shape.BOX, middle, middle, (0.0, 0.0, 1.0, 0.0), i) for i in range(shell)]
    labels, materials = list(SHELL), list(scene.shell)
    for instance, item in enumerate(scene.items, shell):
        place = (item.x, item.y, float(np.cos(item.yaw)), float(np.sin(item.yaw)))
        for solid in item.piece.solids:
            rows.append((solid.shape, solid.centre, solid.half, place, instance))
            labels.append(item.piece.label)
            materials.append(solid.material)
    shapes, centres, halves, places, instances = zip(*rows, strict=True)
    return Catalogue(
        np.array(shapes, np.intp),
        np.array([-1] * shell + [1] * (len(rows) - shell), np.float32),
        np.array(centres, np.float32),
        np.array(halves, np.float32),
        np.array(places, np.float32),
        np.array([CLASSES.index(label) for label in labels], np.uint8),
        np.array(instances, np.intp),
        tuple(materials),
    )


def surfaces(scene: Scene, solids: Catalogue, hits: Hits) -> Surfaces:
    """Locate the surface at every hit, in row-major order of the lattice."""
    solid = hits.solid_L.ravel()
    depth = hits.depth_L.ravel()
    point = np.stack(
        [
            np.float32(o) + depth * d.ravel()
            for o, d in zip(scene.camera.position, hits.direction, strict=True)
        ]
    )
    x0, y0, cos, sin = solids.place_S4.T[:, solid]
    cx, cy, cz = solids.centre_S3.T[:, solid]
    hx, hy, hz = solids.half_S3.T[:, solid]
    x, y = point[0] - x0, point[1] - y0
    local = np.stack([cos * x + sin * y - cx, cos * y - sin * x - cy, point[2] - cz])
    q = np.stack([local[0] / hx, local[1] / hy, local[2] / hz])
    shape = solids.shape_S[solid]
    gradient, face = _gradient(shape, q)
    gradient[0] /= hx
    gradient[1] /= hy
    gradient[2] /= hz
    gradient *= solids.facing_S[solid] / np.sqrt(dot(gradient, gradient))
    normal = np.stack(
        [cos * gradient[0] - sin * gradient[1], sin * gradient[0] + cos * gradient[1], gradient[2]]
    )
    return Surfaces(solid, point, local, normal, face)


def _gradient(shape: NDArray[np.intp], q: F32) -> tuple[F32, NDArray[np.intp]]:
    """Outward direction on each unit shape at q, and the number of the smooth face there."""
    size = np.abs(q)
    is_box, is_ball = shape == Shape.BOX, shape == Shape.BALL
    # A box point lies on the face whose coordinate is largest; a cylinder point on a cap
    # where its height reaches 1 before its radius does.
    xy = np.where(is_box, np.maximum(size[0], size[1]), np.sqrt(q[0] * q[0] + q[1] * q[1]))
    flat = (size[2] > xy) & ~is_ball
    on_x, on_y = is_box & ~flat & (size[0] >= size[1]), is_box & ~flat & (size[0] < size[1])
    keep_z = flat | is_ball
    gradient = np.stack(
        [
            np.where(flat | on_y, np.float32(0), q[0]),
            np.where(flat | on_x, np.float32(0), q[1]),
            np.where(keep_z, q[2], np.float32(0)),
        ]
    )
    return gradient, np.where(flat, 2, on_y.astype(np.intp))

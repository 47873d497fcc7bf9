"""What each ray of the camera meets first, and which lights a point can see."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from training.data.rooms.camera import covered, lattice
from training.data.rooms.classes import SHELL
from training.data.rooms.geometry import F32, Coordinate, Rays, Vec3, entry, rays, turned
from training.data.rooms.scene import Item, Scene

# Flat pieces cast no shadow worth a ray.
_SHADOWLESS = frozenset({"window", "door", "floor"})


@dataclass(frozen=True, eq=False)
class Hits:
    """First hits of the camera's half-pixel lattice of L = (2H+1) x (2W+1) rays.

    Attributes:
        direction: x, y and z of the rays in the room's frame, length 1 along the camera axis.
        depth_L: metres along the camera axis.
        solid_L: index of the solid met: 0 to 5 the shell, then every item's solids in order.
    """

    direction: tuple[F32, F32, F32]
    depth_L: F32
    solid_L: NDArray[np.intp]


def cast(scene: Scene, height: int, width: int) -> Hits:
    """Cast the camera's lattice of rays into a scene."""
    bundle = rays(_point(scene.camera.position), lattice(scene.camera, height, width))
    depth, solid = _cast_shell(scene, bundle)
    hits = Hits(bundle.direction, depth, solid)
    first = len(SHELL)
    for item in scene.items:
        bounds = covered(scene.camera, _corners(item), height, width)
        _cast_item(item, first, bounds, scene.camera.position, bundle, hits)
        first += len(item.piece.solids)
    return hits


def _cast_item(
    item: Item, first: int, bounds: NDArray[np.int64], origin: Vec3, bundle: Rays, hits: Hits
) -> None:
    """Cast the rays that can meet an item's solids, and keep in ``hits`` what is nearer."""
    seen = (bounds[:, 0] < bounds[:, 1]) & (bounds[:, 2] < bounds[:, 3])
    if not seen.any():
        return
    # One turn into the item's frame serves all its solids.
    top, left = bounds[seen, 0].min(), bounds[seen, 2].min()
    end, right = bounds[seen, 1].max(), bounds[seen, 3].max()
    local = _in_frame(item, origin, bundle, (slice(top, end), slice(left, right)))
    for index in np.flatnonzero(seen):
        solid, (r0, r1, c0, c1) = item.piece.solids[index], bounds[index]
        part = local.part((slice(r0 - top, r1 - top), slice(c0 - left, c1 - left)))
        t = entry(solid.shape, solid.centre, solid.half, part)
        depth, owner = hits.depth_L[r0:r1, c0:c1], hits.solid_L[r0:r1, c0:c1]
        closer = t < depth
        np.copyto(depth, t, where=closer)
        np.copyto(owner, first + index, where=closer)


def _point(p: Vec3) -> tuple[Coordinate, Coordinate, Coordinate]:
    return np.float32(p[0]), np.float32(p[1]), np.float32(p[2])


def _cast_shell(scene: Scene, bundle: Rays) -> tuple[F32, NDArray[np.intp]]:
    """The face of the room each ray leaves through, seen from inside."""
    depth = np.full(bundle.direction[0].shape, np.inf, np.float32)
    solid = np.zeros(depth.shape, np.intp)
    for axis in range(3):
        outward = bundle.direction[axis] > 0
        wall = np.where(outward, np.float32(scene.size[axis]), np.float32(0))
        t = (wall - bundle.origin[axis]) * bundle.reciprocal[axis]
        closer = t < depth
        np.copyto(depth, t, where=closer)
        np.copyto(solid, 2 * axis + outward, where=closer)
    return depth, solid


def _corners(item: Item) -> NDArray[np.float64]:
    """(solids, 8, 3) corners of the boxes around an item's solids, in the room's frame."""
    signs = np.array(list(product((-1.0, 1.0), repeat=3)))
    centre = np.array([solid.centre for solid in item.piece.solids])
    half = np.array([solid.half for solid in item.piece.solids])
    local = centre[:, None, :] + signs * half[:, None, :]
    cos, sin = np.cos(item.yaw), np.sin(item.yaw)
    turn = np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])
    corners: NDArray[np.float64] = local @ turn + (item.x, item.y, 0.0)
    return corners


def _in_frame(item: Item, origin: Vec3, bundle: Rays, area: tuple[slice, slice]) -> Rays:
    part = bundle.part(area)
    ox, oy = turned(np.float32(origin[0] - item.x), np.float32(origin[1] - item.y), -item.yaw)
    dx, dy = turned(part.direction[0], part.direction[1], -item.yaw)
    return rays(
        (ox, oy, np.float32(origin[2])), (np.asarray(dx), np.asarray(dy), part.direction[2])
    )


def blocked(scene: Scene, start: F32, target: F32) -> NDArray[np.bool_]:
    """Whether furniture stands between points and the lights they look at.

    Args:
        scene: the scene.
        start: (3, N) points on surfaces, moved a little off them, metres.
        target: (3, N) points on lights, metres.

    Returns:
        (N,) true where some item crosses the segment from start to target.
    """
    way = target - start
    shadow = np.zeros(start.shape[1], bool)
    for item in scene.items:
        if item.piece.label in _SHADOWLESS:
            continue
        near = _passes(item, start, way, ~shadow)
        x, y = turned(
            start[0, near] - np.float32(item.x), start[1, near] - np.float32(item.y), -item.yaw
        )
        dx, dy = turned(way[0, near], way[1, near], -item.yaw)
        local = rays((x, y, start[2, near]), (np.asarray(dx), np.asarray(dy), way[2, near]))
        hit = np.zeros(len(near), bool)
        for part in item.piece.solids:
            hit |= entry(part.shape, part.centre, part.half, local) < 1
        shadow[near[hit]] = True
    return shadow


def _passes(item: Item, start: F32, way: F32, among: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Indices of the segments that pass through the ball around an item."""
    corners = _corners(item).reshape(-1, 3)
    low, high = corners.min(axis=0), corners.max(axis=0)
    centre = ((low + high) / 2).astype(np.float32)
    radius = np.float32(np.linalg.norm(high - low) / 2)
    x, y, z = (centre[k] - start[k] for k in range(3))
    along = (x * way[0] + y * way[1] + z * way[2]) / (way[0] ** 2 + way[1] ** 2 + way[2] ** 2)
    along = np.clip(along, 0, 1)
    x, y, z = x - along * way[0], y - along * way[1], z - along * way[2]
    return np.flatnonzero((x * x + y * y + z * z < radius * radius) & among)

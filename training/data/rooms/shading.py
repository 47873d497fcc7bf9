"""Colour of surfaces: texture, ambient light, soft shadows of two area lights, lit lamps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.data.rooms.geometry import F32, Vec3, dot
from training.data.rooms.materials import Pattern, tone
from training.data.rooms.scene import Light, Scene
from training.data.rooms.surfaces import Catalogue, Surfaces
from training.data.rooms.visibility import blocked

_LAMPLIGHT = np.array([1.0, 0.8, 0.55], np.float32)
_BIAS = np.float32(3e-3)  # metres a shadow ray starts off its surface

# Each 4 x 4 tile of pixels casts one ray per pixel: eight to points spread over each light.
_TILE = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]])
_SPREAD = np.array(
    [[-7, 1], [-5, -5], [-3, 5], [-1, -1], [1, 7], [3, -7], [5, 3], [7, -3]], np.float32
) / np.float32(8)


def radiance(
    scene: Scene, solids: Catalogue, points: Surfaces, lit_2HW: F32, lattice: tuple[int, int]
) -> F32:
    """Linear colour of surface points.

    Args:
        scene: the scene.
        solids: its solids.
        points: the N points of the lattice.
        lit_2HW: share of each light that each pixel sees, in [0, 1].
        lattice: rows and columns of the lattice.

    Returns:
        (3, N) linear RGB, at least 0.
    """
    colour, glow = _albedo(solids, points)
    light = np.outer(np.array(scene.ambient, np.float32), _openness(scene, points))
    rows = np.minimum(np.arange(lattice[0]) // 2, lit_2HW.shape[1] - 1)
    columns = np.minimum(np.arange(lattice[1]) // 2, lit_2HW.shape[2] - 1)
    for lamp, lit in zip(scene.lights, lit_2HW, strict=True):
        strength = _unshadowed(lamp, points) * lit[np.ix_(rows, columns)].ravel()
        light += np.outer(np.array(lamp.colour, np.float32), strength)
    for item in scene.items:
        if item.piece.label == "lamp":
            shade = item.piece.solids[-1]
            warm = _LAMPLIGHT * np.float32(shade.material.glow)
            light += np.outer(warm, _glow_around(item.in_room(shade.centre), points))
    return colour * (light + glow)


def _albedo(solids: Catalogue, points: Surfaces) -> tuple[F32, F32]:
    """(3, N) reflectance and (N,) glow of every point."""
    materials = solids.materials
    pattern_S = np.array([m.pattern for m in materials])
    scale_S = np.array([m.scale for m in materials], np.float32)
    across_S = np.array([m.across for m in materials], np.float32)
    first_S = np.array([m.colours[0] for m in materials], np.float32)
    step_S = np.array([m.colours[1] for m in materials], np.float32) - first_S
    blend = np.zeros(len(points.solid_N), np.float32)
    pattern = pattern_S[points.solid_N]
    for kind in Pattern:
        if kind is Pattern.PLAIN:
            continue
        where = np.flatnonzero(pattern == kind)
        if len(where):
            solid, p = points.solid_N[where], points.local_3N[:, where]
            u = dot(p, across_S.T[:, solid])
            blend[where] = tone(kind, p, u, scale_S[solid])
    colour = first_S.T[:, points.solid_N] + blend * step_S.T[:, points.solid_N]
    glow = np.array([m.glow for m in materials], np.float32)[points.solid_N]
    return colour, glow


def _openness(scene: Scene, points: Surfaces) -> F32:
    """Ambient light that reaches a point: less in the corners of the room, most facing up."""
    share: F32 = 0.85 + 0.15 * points.normal_3N[2]
    for axis, extent in enumerate(scene.size):
        p, across = points.point_3N[axis], 1 - np.abs(points.normal_3N[axis])
        to_face = np.minimum(p, np.float32(extent) - p)
        close: F32 = np.maximum(1 - to_face / 0.6, 0)
        share *= 1 - 0.45 * across * close * close
    return share


def _unshadowed(light: Light, points: Surfaces) -> F32:
    """Light that an area light's middle sends to each point."""
    way = np.array(light.centre, np.float32)[:, None] - points.point_3N
    square = dot(way, way)
    towards = np.maximum(dot(way, points.normal_3N), 0)
    leaving = np.maximum(-dot(way, np.array(light.normal, np.float32)[:, None]), 0)
    # Some light leaves sideways too, and the offset keeps what is near from burning out.
    spread: F32 = leaving + np.float32(0.25) * np.sqrt(square)
    decay: F32 = square * (np.float32(0.25) * square + np.float32(0.625))
    strength: F32 = towards * spread / decay
    return strength


def _glow_around(centre: Vec3, points: Surfaces) -> F32:
    """Light that a lamp's shade, which casts no shadow itself, sends to each point."""
    way = np.array(centre, np.float32)[:, None] - points.point_3N
    square = dot(way, way)
    towards = np.abs(dot(way, points.normal_3N))
    strength: F32 = towards / (4 * np.sqrt(square) * (0.3 + square))
    return strength


def lit_share(scene: Scene, points: Surfaces, height: int, width: int) -> F32:
    """Share of each of the two lights that every pixel sees.

    Every pixel casts a single shadow ray, to one of eight points on one of the lights; the
    shares are averaged over the 4 x 4 pixels around it that lie on the same face.

    Args:
        scene: the scene.
        points: surfaces at the pixel centres, height times width of them.
        height: image height in pixels.
        width: image width in pixels.

    Returns:
        (2, height, width) in [0, 1].
    """
    tile = np.tile(_TILE, (-(-height // 4), -(-width // 4)))[:height, :width].ravel()
    chosen, spot = tile % 2, tile // 2
    target = np.empty_like(points.point_3N)
    for number, light in enumerate(scene.lights):
        a, b = _SPREAD[spot[chosen == number]].T
        u, v = np.array(light.edges, np.float32)
        centre = np.array(light.centre, np.float32)
        target[:, chosen == number] = centre[:, None] + np.outer(u, a) + np.outer(v, b)
    start = points.point_3N + _BIAS * points.normal_3N
    facing = dot(target - start, points.normal_3N) > 0
    seen = np.zeros(len(tile), np.float32)
    seen[facing] = ~blocked(scene, start[:, facing], target[:, facing])
    face = (points.solid_N * 4 + points.face_N).reshape(height, width)
    of_light = np.stack([chosen == 0, chosen == 1]).reshape(2, height, width)
    return _average(seen.reshape(height, width), face, of_light)


def _average(seen_HW: F32, face_HW: NDArray[np.intp], of_light_2HW: NDArray[np.bool_]) -> F32:
    """Mean of the samples of each light over the 4 x 4 neighbours on the same face."""
    height, width = seen_HW.shape
    around = ((2, 1), (2, 1))
    seen = np.pad(seen_HW, around, mode="edge")
    face = np.pad(face_HW, around, mode="edge")
    of_light = np.pad(of_light_2HW, ((0, 0), *around), mode="edge").astype(np.float32)
    total = np.zeros((2, height, width), np.float32)
    weight = np.full((2, height, width), 1e-9, np.float32)
    for row in range(4):
        for column in range(4):
            at = (slice(row, row + height), slice(column, column + width))
            # Strangers count a little, for slivers with no sample of a light of their own.
            near = np.where(face[at] == face_HW, np.float32(1), np.float32(1e-4))
            share = of_light[(slice(None), *at)] * near
            weight += share
            total += share * seen[at]
    return total / weight

"""Furnishing a room: which furniture, fixtures, colours, light and view a scene is given."""

from __future__ import annotations

from functools import partial

import numpy as np

from training.data.rooms import fixtures, furniture
from training.data.rooms.camera import Camera
from training.data.rooms.geometry import Vec3
from training.data.rooms.materials import Material, Pattern, colour, plain, scaled
from training.data.rooms.placing import Items, against_wall, anywhere, at_table, place
from training.data.rooms.scene import Light, Scene

# What may stand against the walls, each with the probability that a place is sought for it.
# Early pieces find a place more often, so the order balances the classes.
_ALONG_WALLS = (
    (fixtures.door, 0.75),
    (fixtures.window, 1.0),
    (furniture.bed, 0.6),
    (furniture.lamp, 0.75),
    (furniture.plant, 0.75),
    (furniture.sofa, 0.75),
    (fixtures.cabinet, 1.0),
    (fixtures.window, 0.4),
    (furniture.lamp, 0.7),
    (furniture.plant, 0.7),
    (fixtures.cabinet, 0.6),
)


def furnish(rng: np.random.Generator) -> Scene:
    """Draw a room, its furniture, its light and a view of it."""
    room = (rng.uniform(3.8, 5.2), rng.uniform(4.0, 5.6), rng.uniform(2.4, 2.75))
    camera = _camera(rng, room)
    items: Items = ()
    for make, chance in _ALONG_WALLS:
        if rng.random() < chance:
            piece = make(rng)
            propose = partial(against_wall, rng, piece, room)
            items = place(items, room, camera.position, propose)
    if rng.random() < 0.8:
        items = _with_table(rng, items, room, camera.position)
    for make, chance in ((furniture.chair, 0.4), (fixtures.rug, 0.45)):
        if rng.random() < chance:
            propose = partial(anywhere, rng, make(rng), room, 0.5 if chance == 0.4 else 0.05)
            items = place(items, room, camera.position, propose)
    warmth, ambient = rng.uniform(0.85, 1.0), rng.uniform(0.3, 0.42)
    return Scene(
        room,
        _shell(rng),
        items,
        (_daylight(rng, items, room), _ceiling_light(rng, room)),
        (ambient, ambient * (1 + warmth) / 2, ambient * warmth),
        camera,
    )


def _camera(rng: np.random.Generator, room: Vec3) -> Camera:
    """Near the wall y = 0 at eye height, looking at the farther half of the room."""
    x, y = room[0] * rng.uniform(0.2, 0.8), rng.uniform(0.25, 0.6)
    towards = (room[0] * rng.uniform(0.3, 0.7) - x, room[1] * rng.uniform(0.6, 0.8) - y)
    pitch = float(np.deg2rad(rng.uniform(-17.0, -10.0)))
    return Camera((x, y, rng.uniform(1.45, 1.65)), float(np.arctan2(*towards)), pitch)


def _with_table(rng: np.random.Generator, items: Items, room: Vec3, camera: Vec3) -> Items:
    """Add a table in the room, with chairs around it where it has the height to dine at."""
    piece = furniture.table(rng)
    placed = place(items, room, camera, partial(anywhere, rng, piece, room, 0.15))
    if placed is items or piece.height < 0.6:
        return placed
    table = placed[-1]
    style = int(rng.integers(2**32))  # the chairs of one table are alike
    for side in rng.permutation(4)[: int(rng.integers(2, 5))]:
        chair = furniture.chair(np.random.default_rng(style))
        # The table itself is left out, for its chairs are pushed under it.
        items = place(items, room, camera, partial(at_table, rng, chair, table, int(side)))
    return (*items, table)


def _shell(rng: np.random.Generator) -> tuple[Material, ...]:
    """Materials of the four walls, the floor and the ceiling."""
    paint = colour(rng, saturation=(0.0, 0.35), value=(0.6, 0.97))
    kind = rng.random()
    wall = plain(paint)
    if kind < 0.2:
        pair = (paint, scaled(paint, rng.uniform(0.75, 0.9)))
        wall = Material(Pattern.STRIPES, pair, rng.uniform(0.12, 0.3), (1.0, 1.0, 0.0))
    elif kind < 0.4:
        wall = Material(Pattern.SPECKLE, (paint, scaled(paint, 0.88)), 0.04)
    accent = plain(colour(rng, saturation=(0.1, 0.5), value=(0.45, 0.9)))
    walls = [accent if rng.random() < 0.15 else wall for _ in range(4)]
    white = plain(colour(rng, hue=(0.08, 0.15), saturation=(0.0, 0.1), value=(0.85, 1.0)))
    return (*walls, _flooring(rng), white)


def _flooring(rng: np.random.Generator) -> Material:
    kind = rng.random()
    if kind < 0.5:
        wood = colour(rng, hue=(0.04, 0.11), saturation=(0.25, 0.6), value=(0.45, 0.85))
        across = (1.0, 0.0, 0.0) if rng.random() < 0.5 else (0.0, 1.0, 0.0)
        pair = (wood, scaled(wood, 0.45))
        return Material(Pattern.PLANKS, pair, rng.uniform(0.12, 0.2), across)
    base = colour(rng, saturation=(0.0, 0.35), value=(0.4, 0.9))
    if kind < 0.7:
        return Material(Pattern.TILES, (base, scaled(base, 0.5)), rng.uniform(0.3, 0.5))
    if kind < 0.85:
        return Material(Pattern.SPECKLE, (base, scaled(base, 0.7)), 0.03)
    pair = (base, scaled(base, rng.uniform(0.45, 0.75)))
    return Material(Pattern.CHECKER, pair, rng.uniform(0.3, 0.5))


def _daylight(rng: np.random.Generator, items: Items, room: Vec3) -> Light:
    """Light through the first window, or through one behind the camera where there is none."""
    strength = rng.uniform(1.3, 2.4)
    tint = (strength, strength * rng.uniform(0.92, 1.0), strength * rng.uniform(0.8, 1.05))
    window = next((item for item in items if item.piece.label == "window"), None)
    x, y, yaw, half = room[0] / 2, 0.0, 0.0, 0.6
    if window is not None:
        x, y, yaw, half = window.x, window.y, window.yaw, window.piece.width / 2
    out = (-float(np.sin(yaw)), float(np.cos(yaw)), 0.0)
    along = (half * float(np.cos(yaw)), half * float(np.sin(yaw)), 0.0)
    centre = (x + 0.1 * out[0], y + 0.1 * out[1], 1.5)
    return Light(centre, (along, (0.0, 0.0, 0.5)), out, tint)


def _ceiling_light(rng: np.random.Generator, room: Vec3) -> Light:
    strength = rng.uniform(0.4, 1.5)
    tint = (strength, strength * 0.93, strength * rng.uniform(0.7, 0.95))
    x, y = room[0] * rng.uniform(0.4, 0.6), room[1] * rng.uniform(0.35, 0.65)
    return Light((x, y, room[2] - 0.05), ((0.3, 0.0, 0.0), (0.0, 0.3, 0.0)), (0.0, 0.0, -1.0), tint)

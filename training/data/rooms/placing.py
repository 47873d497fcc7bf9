"""Finding a free place in a room for a piece of furniture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from training.data.rooms.fixtures import SILL
from training.data.rooms.furniture import Piece
from training.data.rooms.geometry import Vec3, turned
from training.data.rooms.scene import Item

_CLEARANCE = 1.2  # metres kept free around the camera
_GAP = 0.03  # metres between neighbours
_ATTEMPTS = 20

Items = tuple[Item, ...]
Propose = Callable[[], Item]


def place(items: Items, room: Vec3, camera: Vec3, propose: Propose) -> Items:
    """Add the first of a few proposed items that is free; none where all are taken."""
    for _ in range(_ATTEMPTS):
        item = propose()
        if is_free(item, items, room, camera):
            return (*items, item)
    return items


def is_free(item: Item, items: Items, room: Vec3, camera: Vec3) -> bool:
    """Whether an item stands inside the room, off the other items and away from the camera."""
    left, right, near, far = item.footprint()
    if left < -1e-6 or near < -1e-6 or right > room[0] + 1e-6 or far > room[1] + 1e-6:
        return False
    dx = max(left - camera[0], camera[0] - right, 0.0)
    dy = max(near - camera[1], camera[1] - far, 0.0)
    if np.hypot(dx, dy) < _CLEARANCE:
        return False
    return not any(_collide(item, other) for other in items)


def _collide(a: Item, b: Item) -> bool:
    labels = {a.piece.label, b.piece.label}
    if "floor" in labels:
        return False  # rugs lie under furniture
    if "window" in labels and min(a.piece.height, b.piece.height) < SILL:
        return False  # low furniture stands below a window
    (l1, r1, n1, f1), (l2, r2, n2, f2) = a.footprint(), b.footprint()
    return l1 < r2 + _GAP and l2 < r1 + _GAP and n1 < f2 + _GAP and n2 < f1 + _GAP


def against_wall(rng: np.random.Generator, piece: Piece, room: Vec3) -> Item:
    """A piece with its back to one of the three walls that the camera can see."""
    width, depth, _ = room
    h = piece.width / 2
    wall = rng.choice(3, p=(0.5, 0.25, 0.25))
    if wall == 0:
        return Item(piece, rng.uniform(h, max(h, width - h)), depth, np.pi)
    # The near part of the side walls lies beside the camera's view.
    nearest = max(1.2 + h, 0.48 * depth)
    y = rng.uniform(nearest, max(nearest, depth - h))
    if wall == 1:
        return Item(piece, 0.0, y, -np.pi / 2)
    return Item(piece, width, y, np.pi / 2)


def anywhere(rng: np.random.Generator, piece: Piece, room: Vec3, jitter: float) -> Item:
    """A piece off the walls, square to the room but for a jitter in radians."""
    yaw = float(rng.integers(4)) * np.pi / 2 + rng.uniform(-jitter, jitter)
    x, y = rng.uniform(0.2, 0.8) * room[0], rng.uniform(0.3, 0.8) * room[1]
    return _centred(piece, x, y, yaw)


def at_table(rng: np.random.Generator, piece: Piece, table: Item, side: int) -> Item:
    """A chair pushed a little under one side of a table: 0 front, 1 back, 2 left, 3 right."""
    w, d = table.piece.width, table.piece.depth
    reach = (d if side < 2 else w) / 2 + rng.uniform(0.0, 0.15)
    out = {0: (0.0, 1.0), 1: (0.0, -1.0), 2: (-1.0, 0.0), 3: (1.0, 0.0)}[side]
    shift = rng.uniform(-0.15, 0.15)
    u, v = turned(
        np.float32(out[0] * reach + out[1] * shift),
        np.float32(out[1] * reach - out[0] * shift + d / 2),
        table.yaw,
    )
    # The chair's front (+y) faces the table's middle.
    yaw = table.yaw + float(np.arctan2(out[0], -out[1])) + rng.uniform(-0.35, 0.35)
    return _centred(piece, table.x + float(u), table.y + float(v), yaw)


def _centred(piece: Piece, x: float, y: float, yaw: float) -> Item:
    """A piece with the middle of its footprint at (x, y)."""
    u, v = turned(np.float32(0.0), np.float32(piece.depth / 2), yaw)
    return Item(piece, x - float(u), y - float(v), yaw)

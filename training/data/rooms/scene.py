"""A furnished room: what stands where, what it is lit by and where it is seen from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.data.rooms.camera import Camera
from training.data.rooms.furniture import Piece
from training.data.rooms.geometry import Vec3
from training.data.rooms.materials import Material


@dataclass(frozen=True)
class Item:
    """A piece of furniture in its place.

    Attributes:
        piece: what it is.
        x: its origin along the room's x axis, metres.
        y: its origin along the room's y axis, metres.
        yaw: radians it is turned, counter-clockwise seen from above.
    """

    piece: Piece
    x: float
    y: float
    yaw: float

    def in_room(self, point: Vec3) -> Vec3:
        """A point of the piece's frame in the room's frame, metres."""
        x, y, z = point
        cos, sin = float(np.cos(self.yaw)), float(np.sin(self.yaw))
        return self.x + cos * x - sin * y, self.y + sin * x + cos * y, z

    def footprint(self) -> tuple[float, float, float, float]:
        """Bounds of its place on the floor: least x, greatest x, least y, greatest y, metres."""
        h, d = self.piece.width / 2, self.piece.depth
        corners = [self.in_room((u, v, 0.0)) for u in (-h, h) for v in (0.0, d)]
        xs, ys, _ = zip(*corners, strict=True)
        return min(xs), max(xs), min(ys), max(ys)


@dataclass(frozen=True)
class Light:
    """A rectangle that gives light to one side.

    Attributes:
        centre: its middle, metres.
        edges: its two half edges, metres.
        normal: the side it lights.
        colour: linear RGB strength.
    """

    centre: Vec3
    edges: tuple[Vec3, Vec3]
    normal: Vec3
    colour: Vec3


@dataclass(frozen=True)
class Scene:
    """A furnished room that fills [0, W] x [0, D] x [0, H].

    Attributes:
        size: W, D and H, metres.
        shell: materials of the walls x = 0, x = W, y = 0, y = D, the floor and the ceiling.
        items: everything in the room.
        lights: a window's daylight and the ceiling's light.
        ambient: linear RGB light from everywhere.
        camera: where it is seen from.
    """

    size: Vec3
    shell: tuple[Material, ...]
    items: tuple[Item, ...]
    lights: tuple[Light, Light]
    ambient: Vec3
    camera: Camera

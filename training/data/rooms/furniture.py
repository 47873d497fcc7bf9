"""What makes a bed a bed: furniture assembled from solids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.data.rooms.geometry import Shape, Vec3
from training.data.rooms.materials import Material, Pattern, colour, fabric, plain, scaled, timber


@dataclass(frozen=True)
class Solid:
    """One box, ball or cylinder of a piece of furniture, in the furniture's frame."""

    shape: Shape
    centre: Vec3
    half: Vec3
    material: Material


@dataclass(frozen=True)
class Piece:
    """A piece of furniture before it has a place in the room.

    Its frame has the origin on the floor at the middle of the back, x along the back, y to
    the front and z up, so that it stands against a wall by putting its origin on the wall.

    Attributes:
        label: its class, one of ``CLASSES``.
        width: extent along x, metres, centred on 0.
        depth: extent along y that it takes up, metres, from 0.
        solids: its parts.
    """

    label: str
    width: float
    depth: float
    solids: tuple[Solid, ...]

    @property
    def height(self) -> float:
        """Top of the highest part above the floor, metres."""
        return max(solid.centre[2] + solid.half[2] for solid in self.solids)


def box(
    x: tuple[float, float], y: tuple[float, float], z: tuple[float, float], material: Material
) -> Solid:
    """A box between two bounds on every axis."""
    centre = ((x[0] + x[1]) / 2, (y[0] + y[1]) / 2, (z[0] + z[1]) / 2)
    half = ((x[1] - x[0]) / 2, (y[1] - y[0]) / 2, (z[1] - z[0]) / 2)
    return Solid(Shape.BOX, centre, half, material)


def cylinder(x: float, y: float, radius: float, z: tuple[float, float], m: Material) -> Solid:
    """An upright cylinder between two heights."""
    centre, half = (x, y, (z[0] + z[1]) / 2), (radius, radius, (z[1] - z[0]) / 2)
    return Solid(Shape.CYLINDER, centre, half, m)


def ball(centre: Vec3, half: Vec3, material: Material) -> Solid:
    """A ball, or an ellipsoid where the half extents differ."""
    return Solid(Shape.BALL, centre, half, material)


def bed(rng: np.random.Generator) -> Piece:
    """A frame with a headboard at the wall, a mattress, pillows and a blanket."""
    w, d = rng.uniform(1.2, 1.8), rng.uniform(1.95, 2.15)
    frame, blanket = timber(rng), fabric(rng)
    linen = plain(colour(rng, saturation=(0.0, 0.12), value=(0.85, 0.98)))
    h, top = w / 2, rng.uniform(0.45, 0.58)
    solids = [
        box((-h, h), (0.0, 0.08), (0.0, rng.uniform(0.85, 1.15)), frame),
        box((-h, h), (0.08, d), (0.08, top - 0.2), frame),
        box((-h + 0.03, h - 0.03), (0.08, d - 0.03), (top - 0.2, top), linen),
        box(
            (-h - 0.015, h + 0.015),
            (rng.uniform(0.6, 0.9), d + 0.015),
            (top - 0.25, top + 0.03),
            blanket,
        ),
    ]
    count = 2 if w > 1.4 else 1
    for i in range(count):
        x = (i - (count - 1) / 2) * w / 2
        solids.append(ball((x, 0.36, top + 0.04), (0.42 * w / count, 0.24, 0.11), linen))
    return Piece("bed", w, d, tuple(solids))


def sofa(rng: np.random.Generator) -> Piece:
    """A base with a back, two arms and a row of cushions."""
    seats = int(rng.integers(2, 4))
    arm = rng.uniform(0.14, 0.22)
    w, d = seats * rng.uniform(0.6, 0.7) + 2 * arm, rng.uniform(0.82, 0.95)
    h, seat, cover = w / 2, rng.uniform(0.38, 0.46), fabric(rng)
    back = seat + rng.uniform(0.36, 0.48)
    solids = [
        box((-h + 0.05, h - 0.05), (0.0, d - 0.03), (0.05, seat - 0.13), cover),
        box((-h + 0.02, h - 0.02), (0.0, 0.2), (0.05, back - 0.06), cover),
        box((-h, -h + arm), (0.0, d), (0.05, seat + 0.18), cover),
        box((h - arm, h), (0.0, d), (0.05, seat + 0.18), cover),
    ]
    step = (w - 2 * arm) / seats
    for i in range(seats):
        x = -h + arm + i * step
        span = (x + 0.012, x + step - 0.012)
        solids.append(box(span, (0.2, d), (seat - 0.13, seat), cover))
        solids.append(box(span, (0.17, 0.36), (seat, back), cover))
    if rng.random() < 0.7:
        side = rng.choice((-1.0, 1.0)) * (h - arm - 0.25)
        solids.append(ball((side, 0.42, seat + 0.19), (0.22, 0.1, 0.2), fabric(rng)))
    return Piece("sofa", w, d, tuple(solids))


def table(rng: np.random.Generator) -> Piece:
    """A top on four legs, or a round one on a single column; at sofa or at dining height."""
    top = rng.uniform(0.4, 0.5) if rng.random() < 0.35 else rng.uniform(0.7, 0.78)
    wood = timber(rng)
    if rng.random() < 0.3:
        r = rng.uniform(0.45, 0.6)
        return Piece(
            "table",
            2 * r,
            2 * r,
            (
                cylinder(0.0, r, r, (top - 0.05, top), wood),
                cylinder(0.0, r, 0.05, (0.0, top - 0.05), wood),
                cylinder(0.0, r, 0.26, (0.0, 0.04), wood),
            ),
        )
    w, d = rng.uniform(1.0, 1.5), rng.uniform(0.65, 0.85)
    x, r = w / 2 - 0.07, rng.uniform(0.028, 0.042)
    legs = _legs(rng, ((-x, 0.07), (x, 0.07), (-x, d - 0.07), (x, d - 0.07)), r, top - 0.04, wood)
    return Piece("table", w, d, (box((-w / 2, w / 2), (0.0, d), (top - 0.05, top), wood), *legs))


def chair(rng: np.random.Generator) -> Piece:
    """A seat on four legs with a back of one board or of slats."""
    w, d, seat = rng.uniform(0.42, 0.5), rng.uniform(0.44, 0.5), rng.uniform(0.43, 0.48)
    wood, r = timber(rng), rng.uniform(0.02, 0.028)
    cover = fabric(rng) if rng.random() < 0.5 else wood
    x, back = w / 2 - r, seat + rng.uniform(0.42, 0.55)
    legs = _legs(rng, ((-x, r), (x, r), (-x, d - r), (x, d - r)), r, seat, wood)
    solids = [*legs, box((-w / 2, w / 2), (0.0, d), (seat, seat + 0.05), cover)]
    posts: tuple[float, ...]
    if rng.random() < 0.6:
        solids.append(box((-w / 2, w / 2), (0.0, 0.045), (seat + 0.1, back), cover))
        posts = (-x, x)
    else:
        solids.append(box((-w / 2, w / 2), (0.0, 0.045), (back - 0.12, back), wood))
        posts = (-x, 0.0, x)
    solids += [box((p - r, p + r), (0.005, 0.04), (seat + 0.05, back - 0.01), wood) for p in posts]
    return Piece("chair", w, d, tuple(solids))


def _legs(
    rng: np.random.Generator,
    feet: tuple[tuple[float, float], ...],
    radius: float,
    top: float,
    material: Material,
) -> list[Solid]:
    """Square or turned legs from the floor up."""
    if rng.random() < 0.5:
        return [cylinder(x, y, radius, (0.0, top), material) for x, y in feet]
    r = radius
    return [box((x - r, x + r), (y - r, y + r), (0.0, top), material) for x, y in feet]


def lamp(rng: np.random.Generator) -> Piece:
    """A floor lamp: a foot, a pole and a glowing shade."""
    r, tall = rng.uniform(0.24, 0.33), rng.uniform(1.45, 1.75)
    shade = colour(rng, hue=(0.02, 0.17), saturation=(0.1, 0.5), value=(0.85, 1.0))
    metal = plain(colour(rng, saturation=(0.0, 0.3), value=(0.1, 0.7)))
    glow = rng.uniform(0.6, 1.3)
    cloth = Material(Pattern.SPECKLE, (shade, scaled(shade, 0.85)), 0.03, glow=glow)
    solids = (
        cylinder(0.0, 0.33, rng.uniform(0.15, 0.2), (0.0, 0.04), metal),
        cylinder(0.0, 0.33, rng.uniform(0.018, 0.03), (0.04, tall - 0.2), metal),
        cylinder(0.0, 0.33, r, (tall - rng.uniform(0.34, 0.46), tall), cloth),
    )
    return Piece("lamp", 0.66, 0.66, solids)


def plant(rng: np.random.Generator) -> Piece:
    """A pot, a stem and a crown of leafy balls."""
    r, rim, crown = rng.uniform(0.17, 0.24), rng.uniform(0.3, 0.45), rng.uniform(0.3, 0.38)
    stem = rim + rng.uniform(0.3, 0.6)
    leaf = colour(rng, hue=(0.2, 0.42), saturation=(0.35, 0.75), value=(0.3, 0.65))
    green = Material(Pattern.SPECKLE, (leaf, scaled(leaf, 0.35)), 0.05)
    pot = plain(colour(rng, saturation=(0.0, 0.7), value=(0.3, 0.9)))
    bark = plain(colour(rng, hue=(0.05, 0.12), saturation=(0.3, 0.5), value=(0.25, 0.45)))
    solids = [
        cylinder(0.0, 0.4, r, (0.0, rim), pot),
        cylinder(0.0, 0.4, 0.03, (rim, stem), bark),
        ball((0.0, 0.4, stem + 0.1), (0.22, 0.22, 0.24), green),
    ]
    leaves = int(rng.integers(4, 7))
    for i in range(leaves):
        angle = 2 * np.pi * (i + rng.uniform(-0.25, 0.25)) / leaves
        size, reach = rng.uniform(0.15, 0.22), crown - 0.13
        centre = (
            float(reach * np.cos(angle)),
            float(0.4 + reach * np.sin(angle)),
            stem + rng.uniform(-0.1, 0.25),
        )
        solids.append(ball(centre, (size, size, size * rng.uniform(0.7, 1.2)), green))
    return Piece("plant", 0.8, 0.8, tuple(solids))

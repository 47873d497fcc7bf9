"""What stands on the walls: cabinets, windows, doors; and rugs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from training.data.rooms.furniture import Piece, Solid, ball, box
from training.data.rooms.materials import Material, Pattern, colour, fabric, plain, scaled, timber

SILL = 0.9
"""Height of a window's lower edge above the floor, metres."""

# Panels, drawers and glazing bars stand out this little (metres), so that their rims are
# thinner than a pixel and do not sprinkle the ground truth with single pixels.
_RELIEF = 0.0008


def cabinet(rng: np.random.Generator) -> Piece:
    """A wardrobe with doors, a chest of drawers or an open bookshelf."""
    kind = rng.random()
    if kind < 0.4:
        return _wardrobe(rng)
    return _drawers(rng) if kind < 0.7 else _bookshelf(rng)


def _wardrobe(rng: np.random.Generator) -> Piece:
    doors = int(rng.integers(2, 4))
    w, d, tall = doors * rng.uniform(0.45, 0.55), rng.uniform(0.5, 0.6), rng.uniform(1.8, 2.1)
    wood, handle = timber(rng), plain(colour(rng, saturation=(0.0, 0.3), value=(0.2, 0.9)))
    solids = [box((-w / 2, w / 2), (0.0, d), (0.0, tall), _darker(wood))]
    step = w / doors
    for i in range(doors):
        x = -w / 2 + i * step
        front = (x + 0.015, x + step - 0.015)
        solids.append(box(front, (0.0, d + _RELIEF), (0.1, tall - 0.04), wood))
        grip = x + (step - 0.08 if i % 2 == 0 else 0.08)
        span = (grip - 0.02, grip + 0.02)
        solids.append(box(span, (0.0, d + 2 * _RELIEF), (0.85, 1.1), handle))
    return Piece("cabinet", w, d + 0.02, tuple(solids))


def _drawers(rng: np.random.Generator) -> Piece:
    rows = int(rng.integers(3, 5))
    w, d, tall = rng.uniform(0.8, 1.2), rng.uniform(0.42, 0.52), rng.uniform(0.8, 1.1)
    wood = timber(rng)
    front = timber(rng) if rng.random() < 0.4 else wood
    handle = plain(colour(rng, saturation=(0.0, 0.3), value=(0.2, 0.9)))
    solids = [box((-w / 2, w / 2), (0.0, d), (0.0, tall), _darker(wood))]
    step = (tall - 0.14) / rows
    for i in range(rows):
        low = 0.1 + i * step
        span = (-w / 2 + 0.03, w / 2 - 0.03)
        rise = (low + 0.015, low + step - 0.015)
        solids.append(box(span, (0.0, d + _RELIEF), rise, front))
        grip = (low + step / 2 - 0.02, low + step / 2 + 0.02)
        solids.append(box((-0.12, 0.12), (0.0, d + 2 * _RELIEF), grip, handle))
    return Piece("cabinet", w, d + 0.02, tuple(solids))


def _darker(wood: Material) -> Material:
    """The same wood in shade, for the carcass behind doors and drawers."""
    first, second = wood.colours
    return replace(wood, colours=(scaled(first, 0.6), scaled(second, 0.6)))


def _bookshelf(rng: np.random.Generator) -> Piece:
    rows = int(rng.integers(3, 6))
    w, d, step = rng.uniform(0.8, 1.2), rng.uniform(0.3, 0.38), rng.uniform(0.34, 0.4)
    tall, h, wood = rows * step + 0.06, w / 2, timber(rng)
    solids = [
        box((-h + 0.01, h - 0.01), (0.0, 0.02), (0.0, tall - 0.03), wood),
        box((-h, -h + 0.03), (0.0, d), (0.0, tall - 0.03), wood),
        box((h - 0.03, h), (0.0, d), (0.0, tall - 0.03), wood),
        box((-h, h), (0.0, d), (tall - 0.03, tall), wood),
    ]
    for i in range(rows):
        low = 0.03 + i * step
        solids.append(box((-h + 0.03, h - 0.03), (0.0, d - 0.01), (low, low + 0.03), wood))
        if rng.random() < 0.85:
            start = -h + 0.04
            end = start + rng.uniform(0.4, 0.98) * (w - 0.08)
            high = low + 0.03 + rng.uniform(0.6, 0.85) * (step - 0.03)
            spines = Material(Pattern.STAVES, (colour(rng), colour(rng)), 0.06)
            solids.append(box((start, end), (0.02, d - 0.06), (low + 0.03, high), spines))
    return Piece("cabinet", w, d, tuple(solids))


def window(rng: np.random.Generator) -> Piece:
    """A bright pane behind a frame with glazing bars; its back is the wall."""
    w, low, high = rng.uniform(1.1, 1.8), SILL, rng.uniform(1.9, 2.15)
    frame = plain(colour(rng, hue=(0.05, 0.12), saturation=(0.0, 0.3), value=(0.75, 1.0)))
    sky = colour(rng, hue=(0.52, 0.62), saturation=(0.05, 0.35), value=(0.9, 1.0))
    land = colour(rng, hue=(0.15, 0.4), saturation=(0.15, 0.5), value=(0.5, 0.9))
    view = Material(Pattern.VIEW, (land, sky), rng.uniform(0.1, 0.4), glow=rng.uniform(1.0, 1.6))
    h, bar = w / 2, 0.05
    solids = [box((0.02 - h, h - 0.02), (0.0, 0.02), (low + 0.02, high - 0.02), view)]
    columns, rows = int(rng.integers(1, 4)), int(rng.integers(1, 3))
    for i in range(columns + 1):
        x = -h + (w - bar) * i / columns
        solids.append(box((x, x + bar), (0.0, 0.02 + _RELIEF), (low, high), frame))
    for i in range(rows + 1):
        z = low + (high - low - bar) * i / rows
        solids.append(box((-h, h), (0.0, 0.02 + _RELIEF), (z, z + bar), frame))
    solids.append(box((-h - 0.06, h + 0.06), (0.0, 0.12), (low - 0.05, low), frame))
    return Piece("window", w, 0.12, tuple(solids))


def door(rng: np.random.Generator) -> Piece:
    """A panelled slab in a frame, with a knob; its back is the wall.

    Its depth includes the floor kept free before it.
    """
    w, tall = rng.uniform(0.85, 1.0), rng.uniform(2.0, 2.12)
    leaf = timber(rng)
    base = leaf.colours[0]
    panel = _darker(leaf)
    frame = plain(scaled(base, 0.55)) if rng.random() < 0.5 else plain((0.8, 0.8, 0.78))
    brass = plain(colour(rng, hue=(0.1, 0.15), saturation=(0.0, 0.5), value=(0.4, 0.9)))
    h, side = w / 2, float(rng.choice((-1.0, 1.0)))
    solids: list[Solid] = [
        box((-h, h), (0.0, 0.04), (0.0, tall), leaf),
        box((-h - 0.08, -h), (0.0, 0.045), (0.0, tall), frame),
        box((h, h + 0.08), (0.0, 0.045), (0.0, tall), frame),
        box((-h - 0.08, h + 0.08), (0.0, 0.045), (tall, tall + 0.08), frame),
        ball((side * (h - 0.09), 0.09, 1.0), (0.04, 0.04, 0.04), brass),
    ]
    rows = int(rng.integers(1, 4))
    step = (tall - 0.2) / rows
    for i in range(rows):
        low = 0.15 + i * step
        span = (-h + 0.16, h - 0.16)
        solids.append(box(span, (0.0, 0.04 + _RELIEF), (low, low + step - 0.12), panel))
    return Piece("door", w + 0.16, 0.7, tuple(solids))


def rug(rng: np.random.Generator) -> Piece:
    """A rug: a part of the floor with a pattern of its own."""
    w, d, cloth = rng.uniform(1.4, 2.4), rng.uniform(1.0, 1.7), fabric(rng)
    edge = plain(scaled(cloth.colours[0], 0.5))
    solids = (
        box((-w / 2, w / 2), (0.0, d), (0.0, 0.002), edge),
        box((-w / 2 + 0.08, w / 2 - 0.08), (0.08, d - 0.08), (0.0, 0.002 + _RELIEF), cloth),
    )
    return Piece("floor", w, d, solids)

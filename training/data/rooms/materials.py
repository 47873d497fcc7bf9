"""Procedural materials: a solid pattern that blends two colours, and palettes to draw them from."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from training.data.rooms.geometry import F32, Vec3

# A fixed table of random tones, so that a cell's tone depends on its lattice address alone.
_TONES = np.random.default_rng(20240229).random(4096, dtype=np.float32)


class Pattern(IntEnum):
    """How the two colours of a material are blended over its solid."""

    PLAIN = 0
    SPECKLE = 1
    STRIPES = 2
    CHECKER = 3
    WOOD = 4
    PLANKS = 5
    TILES = 6
    STAVES = 7
    VIEW = 8


@dataclass(frozen=True)
class Material:
    """What a solid is made of.

    Attributes:
        pattern: how the two colours are blended.
        colours: two linear RGB reflectances in [0, 1].
        scale: size of the pattern's cell, metres.
        across: the direction the pattern varies along (stripes, wood grain, planks, staves).
        glow: light given off, as a multiple of the colour.
    """

    pattern: Pattern
    colours: tuple[Vec3, Vec3]
    scale: float = 0.1
    across: Vec3 = (1.0, 0.0, 0.0)
    glow: float = 0.0


def tone(pattern: Pattern, p: F32, u: F32, scale: F32) -> F32:
    """Blend of the two colours at points of one pattern.

    Args:
        pattern: the pattern all points share.
        p: (3, N) points in the solid's frame, metres from its centre.
        u: (N,) the points' coordinate along the direction the pattern varies in, metres.
        scale: (N,) cell size, metres.

    Returns:
        (N,) in [0, 1]: 0 is the first colour, 1 the second.
    """
    # Patterns are offset from the centre, so that no face lies on a border between two cells.
    x, y, z = p + np.float32(17.31)
    u = u + np.float32(17.31)
    along = x + y + z - u
    match pattern:
        case Pattern.PLAIN:
            return np.zeros_like(u)
        case Pattern.SPECKLE:
            return _cell(_lattice(x / scale), _lattice(y / scale), _lattice(z / scale))
        case Pattern.STRIPES:
            return (_lattice(u / scale) & 1).astype(np.float32)
        case Pattern.CHECKER:
            parity = _lattice(x / scale) + _lattice(y / scale) + _lattice(z / scale)
            return (parity & 1).astype(np.float32)
        case Pattern.WOOD:
            return _grain(u, along, scale)
        case Pattern.PLANKS:
            return _planks(u, along, scale)
        case Pattern.TILES:
            return _tiles(x / scale, y / scale)
        case Pattern.STAVES:
            return _cell(_lattice(u / scale), _lattice(z), _lattice(y))
        case Pattern.VIEW:
            return _view(p, scale)


def _lattice(x: F32) -> NDArray[np.int32]:
    """Index of the cell that holds x; all coordinates are offset to be positive."""
    return x.astype(np.int32)


def _cell(i: NDArray[np.int32], j: NDArray[np.int32], k: NDArray[np.int32]) -> F32:
    """A random tone for each cell of a lattice."""
    tones: F32 = _TONES[(i * 73 + j * 1789 + k * 3323) & 4095]
    return tones


def _grain(u: F32, along: F32, scale: F32) -> F32:
    rings = u / scale + np.sin(along * 2.3)
    grain: F32 = 0.5 + 0.3 * np.sin(6.3 * rings) + 0.2 * np.sin(17.0 * rings)
    return grain


def _planks(u: F32, along: F32, scale: F32) -> F32:
    position = u / scale
    row = _lattice(position)
    length = along / 1.1 + _TONES[row & 4095] * 7
    board = _lattice(length)
    gap = (position - row < 0.07) | (length - board < 0.012)
    shade = 0.55 * _cell(row, board, board) + 0.25 * _grain(u, along, scale)
    return np.where(gap, np.float32(1), shade)


def _tiles(x: F32, y: F32) -> F32:
    i, j = _lattice(x), _lattice(y)
    grout = (x - i < 0.05) | (y - j < 0.05)
    return np.where(grout, np.float32(1), np.float32(0.3) * _cell(i, j, j))


def _view(p: F32, scale: F32) -> F32:
    """Hills below a sky, with the horizon at the height of the centre."""
    height: F32 = np.clip((p[2] + 0.25 * np.sin(3 * (p[0] + p[1]))) / scale, 0, 1)
    return height


def colour(
    rng: np.random.Generator,
    hue: tuple[float, float] = (0.0, 1.0),
    saturation: tuple[float, float] = (0.1, 0.6),
    value: tuple[float, float] = (0.3, 0.9),
) -> Vec3:
    """A random linear RGB colour from a range of hue, saturation and displayed value."""
    r, g, b = colorsys.hsv_to_rgb(
        rng.uniform(*hue) % 1.0, rng.uniform(*saturation), rng.uniform(*value)
    )
    return r * r, g * g, b * b


def scaled(c: Vec3, factor: float) -> Vec3:
    """A colour made darker or lighter, within [0, 1]."""
    return min(1.0, c[0] * factor), min(1.0, c[1] * factor), min(1.0, c[2] * factor)


def plain(c: Vec3) -> Material:
    """One colour all over."""
    return Material(Pattern.PLAIN, (c, c))


def timber(rng: np.random.Generator, across: Vec3 = (1.0, 0.0, 0.0)) -> Material:
    """Varnished or painted wood."""
    if rng.random() < 0.3:
        return plain(colour(rng, saturation=(0.0, 0.35), value=(0.35, 0.95)))
    base = colour(rng, hue=(0.04, 0.11), saturation=(0.3, 0.65), value=(0.35, 0.85))
    return Material(
        Pattern.WOOD, (base, scaled(base, rng.uniform(0.5, 0.75))), rng.uniform(0.04, 0.1), across
    )


def fabric(rng: np.random.Generator) -> Material:
    """Cloth: plain weave, stripes or checks of any colour."""
    base = colour(rng, saturation=(0.05, 0.65), value=(0.3, 0.9))
    kind = rng.random()
    if kind < 0.55:
        return Material(Pattern.SPECKLE, (base, scaled(base, 0.75)), 0.03)
    other = scaled(base, rng.uniform(0.4, 0.7)) if kind < 0.8 else colour(rng)
    across = (1.0, 0.0, 0.0) if rng.random() < 0.5 else (0.0, 1.0, 0.0)
    pattern = Pattern.STRIPES if rng.random() < 0.6 else Pattern.CHECKER
    return Material(pattern, (base, other), rng.uniform(0.07, 0.16), across)

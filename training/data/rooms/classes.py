"""The classes of things in a room."""

from __future__ import annotations

_COLOURS = {
    "wall": (190, 190, 180),
    "floor": (140, 100, 70),
    "ceiling": (235, 235, 235),
    "window": (90, 190, 240),
    "door": (110, 60, 20),
    "bed": (220, 60, 80),
    "sofa": (250, 150, 50),
    "table": (150, 80, 200),
    "chair": (240, 110, 220),
    "cabinet": (40, 80, 160),
    "lamp": (250, 230, 60),
    "plant": (50, 160, 60),
}

CLASSES: tuple[str, ...] = tuple(_COLOURS)
"""Names of the classes, in the order of their indices."""

PALETTE: tuple[tuple[int, int, int], ...] = tuple(_COLOURS.values())
"""One display colour per class: RGB, 0 to 255."""

FURNITURE = frozenset(CLASSES) - {"wall", "floor", "ceiling", "window", "door"}
"""The classes whose instances can be salient."""

SHELL = ("wall", "wall", "wall", "wall", "floor", "ceiling")
"""Classes of the room's faces x = 0, x = W, y = 0, y = D, z = 0 and z = H: the first solids of
every scene."""

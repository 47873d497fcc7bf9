"""Procedural rooms: images with exact ground truth for five dense tasks, from a seed."""

from training.data.rooms.classes import CLASSES, PALETTE
from training.data.rooms.render import Sample, render
from training.data.rooms.split import NORMAL_SCALE, Split, load_split, scene_seed

__all__ = [
    "CLASSES",
    "NORMAL_SCALE",
    "PALETTE",
    "Sample",
    "Split",
    "load_split",
    "render",
    "scene_seed",
]

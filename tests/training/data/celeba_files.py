"""Writes a folder in the layout of CelebA, from its public description."""

from pathlib import Path

import numpy as np
from PIL import Image

ATTRIBUTES = ("Bald", "Male", "Wearing_Necktie", "Young")

PARTITIONS = (0, 0, 1, 2, 0)
"""Of each image."""

VALUES = ((-1, 1, 1, -1), (-1, -1, -1, 1), (1, 1, -1, 1), (-1, -1, -1, -1), (1, 1, -1, -1))
"""Of each image."""


def write_celeba(folder: Path) -> None:
    """Five images of 20 x 16 pixels."""
    images = folder / "img_align_celeba"
    images.mkdir(parents=True)
    names = [f"{i + 1:06}.jpg" for i in range(len(VALUES))]
    for i, name in enumerate(names):
        Image.fromarray(np.full((20, 16, 3), 40 * i, np.uint8)).save(images / name)
    lines = [str(len(VALUES)), " ".join(ATTRIBUTES) + " "]
    lines += [
        f"{name} " + " ".join(f"{v:2}" for v in values)
        for name, values in zip(names, VALUES, strict=True)
    ]
    (folder / "list_attr_celeba.txt").write_text("\n".join(lines) + "\n")
    parts = [f"{name} {part}" for name, part in zip(names, PARTITIONS, strict=True)]
    (folder / "list_eval_partition.txt").write_text("\n".join(parts) + "\n")

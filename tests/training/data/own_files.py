"""Writes data of a user's own, as docs/own-data.md describes them."""

from pathlib import Path

import numpy as np
from PIL import Image

COUNT = 20
HEIGHT, WIDTH = 20, 30

DESCRIPTION = """\
name: kitchens
height: 32
width: 64
epochs: 2
attribution: made up
license: CC0-1.0
tasks:
  floor:
    kind: segmentation
    classes: [other, floor]
    weight: 2
  depth: {kind: depth}
  normals: {kind: normals}
  edges: {kind: edges}
  objects: {kind: saliency}
  light:
    kind: classification
    classes: [day, electric light]
"""


def write_own(folder: Path) -> None:
    """Twenty images, each with the target of one task in three left out."""
    for name in ("images", "floor", "depth", "normals", "edges", "objects", "light"):
        (folder / name).mkdir(parents=True)
    (folder / "dataset.yaml").write_text(DESCRIPTION)
    rng = np.random.default_rng(0)
    for i in range(COUNT):
        stem = f"{i:03}"
        ending = ".png" if i % 2 else ".jpg"
        grey = rng.integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        Image.fromarray(grey).save(folder / "images" / (stem + ending))
        if i % 3 != 0:
            labels = np.full((HEIGHT, WIDTH), i % 2, np.uint8)
            labels[0] = 255
            Image.fromarray(labels).save(folder / "floor" / f"{stem}.png")
            (folder / "light" / f"{stem}.txt").write_text(("day\n", "electric light")[i % 2])
        if i % 3 != 1:
            if i % 2:
                millimetres = np.full((HEIGHT, WIDTH), 1000 + i, np.uint16)
                Image.fromarray(millimetres).save(folder / "depth" / f"{stem}.png")
            else:
                np.save(folder / "depth" / f"{stem}.npy", np.full((HEIGHT, WIDTH), 1 + i / 1000))
            np.save(folder / "normals" / f"{stem}.npy", np.full((HEIGHT, WIDTH, 3), 2.0))
        if i % 3 != 2:
            for task in ("edges", "objects"):
                line = np.zeros((HEIGHT, WIDTH), np.uint8)
                line[:, :10] = 255
                Image.fromarray(line).save(folder / task / f"{stem}.png")

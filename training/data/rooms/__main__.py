"""Write a contact sheet of rooms: the image and the five targets side by side."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.data.rooms.classes import PALETTE
from training.data.rooms.render import Sample, render


def sheet(samples: list[Sample]) -> NDArray[np.uint8]:
    """One row per sample: image, classes, depth, normals, edges and saliency.

    Returns:
        (count * H, 6 * W, 3) RGB; depth runs from white at 0 m to black at 7 m.
    """
    return np.concatenate([_row(sample) for sample in samples])


def _row(sample: Sample) -> NDArray[np.uint8]:
    classes = np.array([*PALETTE], np.uint8)[sample.semseg_HW]
    depth = (255 * np.clip(1 - sample.depth_HW / 7, 0, 1)).astype(np.uint8)
    normals = ((sample.normals_HWC * (1, -1, -1) + 1) * 127.5).astype(np.uint8)
    grey = [depth, sample.edges_HW * np.uint8(255), sample.saliency_HW * np.uint8(255)]
    depth, edges, salient = (np.repeat(plane[..., None], 3, axis=2) for plane in grey)
    return np.concatenate([sample.image_HWC, classes, depth, normals, edges, salient], axis=1)


def main() -> None:
    """Parse the arguments and write the sheet."""
    parser = argparse.ArgumentParser(prog="python -m training.data.rooms", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="PNG file to write")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first scene")
    parser.add_argument("--count", type=int, default=8, help="number of scenes")
    given = parser.parse_args()
    if given.count < 1:
        parser.error(f"--count {given.count} is too few: it must be at least 1")
    Image.fromarray(sheet([render(given.seed + i) for i in range(given.count)])).save(given.out)


if __name__ == "__main__":
    main()

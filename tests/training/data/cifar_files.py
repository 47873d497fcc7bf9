"""Writes folders in the layout of CIFAR-100 (python version), from its public description.

Nothing here is shared with the loader. A split is a pickled dictionary with bytes as keys: `data`
[N, 3072] uint8 with all red values first, then green, then blue, each row by row; `fine_labels`
and `coarse_labels`, lists of N integers. `meta` names both kinds of labels.
"""

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

COARSE = ("Water animals", "flowers")
FINE = ("crab", "daisy", "eel", "fern", "goldfish")
MEMBERS = {0: (4, 0, 2), 1: (3, 1)}
"""Fine labels of each coarse one. Sorted: crab, eel, goldfish; daisy, fern."""


def colour(image: int, row: int, column: int) -> tuple[int, int, int]:
    """The RGB that is written at a pixel."""
    return (row + image) % 256, (column * 3) % 256, (row * column + 7) % 256


def write_cifar(
    folder: Path,
    count: int = 20,
    protocol: int = 2,
    coarse: Sequence[str] = COARSE,
    members: Mapping[int, Sequence[int]] = MEMBERS,
    fine: Sequence[str] = FINE,
) -> None:
    """Writes `meta`, `train` and `test`, of as many images each."""
    folder.mkdir(parents=True, exist_ok=True)
    names = {
        b"fine_label_names": [n.encode() for n in fine],
        b"coarse_label_names": [n.encode() for n in coarse],
    }
    (folder / "meta").write_bytes(pickle.dumps(names, protocol))
    for part in ("train", "test"):
        (folder / part).write_bytes(pickle.dumps(split(count, members), protocol))


def split(count: int, members: Mapping[int, Sequence[int]] = MEMBERS) -> dict[bytes, object]:
    """A split before it is pickled."""
    data = bytearray()
    for image in range(count):
        for channel in range(3):
            for row in range(32):
                data.extend(colour(image, row, column)[channel] for column in range(32))
    coarse = [image % len(members) for image in range(count)]
    fine = [members[c][i // len(members) % len(members[c])] for i, c in enumerate(coarse)]
    return {
        b"batch_label": b"training batch 1 of 1",
        b"filenames": [b"image.png"] * count,
        b"data": np.frombuffer(bytes(data), np.uint8).reshape(count, 3072),
        b"fine_labels": fine,
        b"coarse_labels": coarse,
    }

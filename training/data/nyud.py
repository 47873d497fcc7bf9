"""NYUD_MT: NYUD-v2 with the ground truth of several tasks, in either of its layouts.

As first published (Maninis et al. 2019)::

    images/STEM.jpg
    segmentation/STEM.png          0 = none, 1..40 = classes
    depth/STEM.npy                 metres, 0 = none
    normals/STEM.npy               float [H, W, 3] in [-1, 1], zero = none
    edge/STEM.npy                  0 or 1
    gt_sets/train.txt, val.txt     stems, 795 and 654

and as repacked for ATRC and InvPT, which differs in ``images/STEM.png``, ``edge/STEM.png`` (x/255)
and ``normals/STEM.png`` (2x/255-1). Each file may be of either.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data.augment import Transforms
from training.data.decoded import Decoded, check_tasks
from training.data.files import (
    depth_of,
    names_in,
    normals_of,
    one_of,
    plane,
    read_array,
    read_lines,
    read_map,
    required,
)
from training.recipe import NetworkConfig
from training.tasks import IGNORE

CLASSES = 40

KINDS = {"semseg": "segmentation", "depth": "depth", "normals": "normals", "edges": "edges"}
"""Tasks that the data set has."""

FOLDERS = {
    "semseg": ("segmentation", (".png",)),
    "depth": ("depth", (".npy",)),
    "normals": ("normals", (".npy", ".png")),
    "edges": ("edge", (".npy", ".png")),
}
"""Folder of each task, and how its files may end."""

TRANSFORMS = Transforms(mirror=0.5, scales=(1.0, 1.2, 1.5), erase=0.5)
"""Of Vandenhende et al. 2019, which ECMT (Sec. 5) takes, and its Random Erasing."""


@dataclass(frozen=True, eq=False)
class Nyud:
    """One split."""

    images: tuple[Path, ...]
    targets: dict[str, tuple[Path, ...]]

    def __len__(self) -> int:
        return len(self.images)

    def image(self, index: int) -> Path:
        """The file of an image."""
        return self.images[index]

    def target(self, task: str, index: int) -> NDArray[Any]:
        """The ground truth of a task (:class:`training.data.decoded.Layout`)."""
        path = self.targets[task][index]
        values = read_array(path) if path.suffix == ".npy" else read_map(path)
        decoders: dict[str, Callable[[NDArray[Any], Path], NDArray[Any]]] = {
            "semseg": _classes,
            "depth": depth_of,
            "normals": normals_of,
            "edges": _edges,
        }
        return decoders[task](values, path)


def _classes(values: NDArray[Any], path: Path) -> NDArray[np.int64]:
    raw_HW = plane(values, path).astype(np.int64)
    if raw_HW.max() > CLASSES:
        raise ValueError(f"{path}: 0 and the classes 1 to {CLASSES} expected, found {raw_HW.max()}")
    return np.where(raw_HW == 0, IGNORE, raw_HW - 1)


def _edges(values: NDArray[Any], path: Path) -> NDArray[np.int64]:
    threshold = 127 if path.suffix == ".png" else 0.5
    return (plane(values, path) > threshold).astype(np.int64)


def load_nyud(folder: Path, part: str, network: NetworkConfig) -> Decoded:
    """Finds the files of one split; they are decoded when they are asked for.

    Args:
        folder: the folder that holds ``images`` and ``gt_sets``.
        part: ``train`` or ``val``.
        network: whose tasks are read, at whose size.

    Raises:
        ValueError: a file is missing, or the data set has not the network's tasks.
    """
    check_tasks(KINDS, network, "NYUD-v2")
    stems = read_lines(folder / "gt_sets" / f"{part}.txt")

    def files(name: str, endings: tuple[str, ...]) -> tuple[Path, ...]:
        within = folder / name
        names = names_in(within)
        return tuple(
            required(one_of(within, stem, endings, names), within, stem, endings) for stem in stems
        )

    targets = {task.name: files(*FOLDERS[task.name]) for task in network.tasks}
    return Decoded(Nyud(files("images", (".jpg", ".png")), targets), network, TRANSFORMS)

"""PASCAL_MT: PASCAL-Context with the ground truth of five tasks (Maninis et al. 2019).

::

    JPEGImages/STEM.jpg
    ImageSets/Context/train.txt, val.txt    stems, 4998 and 5105
    semseg/VOC12/STEM.png                   21 classes, 255 = none; where there is no such file:
    semseg/pascal-context/STEM.png          the same
    human_parts/STEM.mat                    `anno`; there need not be one
    normals_distill/STEM.png                2x/255-1
    sal_distill/STEM.png                    salient above 127
    pascal-context/trainval/STEM.mat        `LabelMap`, whose boundaries are the edges
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import laplace  # type: ignore[import-untyped]

from training.data.augment import Transforms
from training.data.decoded import Decoded, check_tasks
from training.data.files import (
    names_in,
    normals_of,
    one_of,
    plane,
    read_lines,
    read_map,
    read_mat,
    required,
)
from training.data.human_parts import read_human_parts
from training.data.thinning import thinned
from training.recipe import NetworkConfig
from training.tasks import IGNORE

CLASSES = 21

KINDS = {
    "semseg": "segmentation",
    "human_parts": "segmentation",
    "saliency": "saliency",
    "normals": "normals",
    "edges": "edges",
}
"""Tasks that the data set has."""

FOLDERS = {
    "semseg": (("semseg/VOC12", "semseg/pascal-context"), ".png"),
    "human_parts": (("human_parts",), ".mat"),
    "saliency": (("sal_distill",), ".png"),
    "normals": (("normals_distill",), ".png"),
    "edges": (("pascal-context/trainval",), ".mat"),
}
"""Folders of each task, the first that has a file counts, and how the file ends."""

OPTIONAL = frozenset({"human_parts"})
"""Tasks whose file may be missing: not every image shows a person."""

TRANSFORMS = Transforms(mirror=0.5, scale_range=(0.75, 1.25), degrees=20.0, erase=0.5)
"""Of Vandenhende et al. 2019, which ECMT (Sec. 5) takes, and its Random Erasing."""


@dataclass(frozen=True, eq=False)
class Pascal:
    """One split."""

    images: tuple[Path, ...]
    targets: dict[str, tuple[Path | None, ...]]

    def __len__(self) -> int:
        return len(self.images)

    def image(self, index: int) -> Path:
        """The file of an image."""
        return self.images[index]

    def target(self, task: str, index: int) -> NDArray[Any] | None:
        """The ground truth of a task (:class:`training.data.decoded.Layout`)."""
        path = self.targets[task][index]
        if path is None:
            return None
        if task == "human_parts":
            return read_human_parts(path)
        if task == "edges":
            return _edges(plane(np.asarray(read_mat(path, "LabelMap")), path))
        values = read_map(path)
        if task == "normals":
            return normals_of(values, path)
        if task == "saliency":
            return (plane(values, path) > 127).astype(np.int64)
        return _classes(values, path)


def _classes(values: NDArray[Any], path: Path) -> NDArray[np.int64]:
    label_HW = plane(values, path).astype(np.int64)
    odd = label_HW[(label_HW >= CLASSES) & (label_HW != IGNORE)]
    if odd.size:
        raise ValueError(f"{path}: the classes 0 to {CLASSES - 1} and 255 expected, found {odd[0]}")
    return label_HW


def _edges(label_HW: NDArray[Any]) -> NDArray[np.int64]:
    """Thinned boundaries of regions: where the Laplacian of the labels does not vanish."""
    boundary_HW = laplace(label_HW.astype(np.int64), mode="mirror") != 0
    return thinned(boundary_HW).astype(np.int64)


def load_pascal(folder: Path, part: str, network: NetworkConfig) -> Decoded:
    """Finds the files of one split; they are decoded when they are asked for.

    Args:
        folder: the folder that holds ``JPEGImages`` and ``ImageSets``.
        part: ``train`` or ``val``.
        network: whose tasks are read, at whose size.

    Raises:
        ValueError: a file is missing, or the data set has not the network's tasks.
    """
    check_tasks(KINDS, network, "PASCAL-Context")
    stems = read_lines(folder / "ImageSets" / "Context" / f"{part}.txt")

    def files(folders: tuple[str, ...], ending: str, task: str = "") -> tuple[Path | None, ...]:
        # The last folder must exist; those before it hold what there is of something better.
        present = [folder / f for f in folders if (folder / f).is_dir() or f == folders[-1]]
        names = {within: names_in(within) for within in present}

        def find(stem: str) -> Path | None:
            tried = (one_of(within, stem, (ending,), names[within]) for within in present)
            found = next((path for path in tried if path is not None), None)
            return found if task in OPTIONAL else required(found, present[-1], stem, (ending,))

        return tuple(find(stem) for stem in stems)

    images = tuple(path for path in files(("JPEGImages",), ".jpg") if path is not None)
    targets = {task.name: files(*FOLDERS[task.name], task.name) for task in network.tasks}
    return Decoded(Pascal(images, targets), network, TRANSFORMS)

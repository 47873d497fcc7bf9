"""Data of one's own: a folder of images, a folder of targets for each task (docs/own-data.md)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data.augment import Transforms
from training.data.decoded import Decoded
from training.data.files import (
    depth_of,
    names_in,
    normals_of,
    one_of,
    plane,
    read_array,
    read_lines,
    read_map,
)
from training.recipe import NetworkConfig
from training.tasks import IGNORE, Task

IMAGES = (".jpg", ".jpeg", ".png")
"""How the files of images may end."""

ENDINGS = {
    "classification": (".txt",),
    "segmentation": (".png",),
    "depth": (".npy", ".png"),
    "normals": (".npy", ".png"),
    "edges": (".png",),
    "saliency": (".png",),
}
"""How the files of targets may end, by the kind of the task."""

TEST_EVERY = 10
"""Without a list of test images, every tenth is one."""

TRANSFORMS = Transforms(mirror=0.5, scale_range=(0.75, 1.25))


@dataclass(frozen=True, eq=False)
class Own:
    """One split."""

    images: tuple[Path, ...]
    tasks: dict[str, Task]
    targets: dict[str, tuple[Path | None, ...]]

    def __len__(self) -> int:
        return len(self.images)

    def image(self, index: int) -> Path:
        """The file of an image."""
        return self.images[index]

    def target(self, task: str, index: int) -> NDArray[Any] | None:
        """The ground truth of a task, or None where its file is missing."""
        path = self.targets[task][index]
        return None if path is None else _read(self.tasks[task], path)


def _read(task: Task, path: Path) -> NDArray[Any]:
    if task.kind == "classification":
        return np.asarray(_label(task, path))
    values = read_array(path) if path.suffix == ".npy" else read_map(path)
    if task.kind == "normals":
        return normals_of(values, path)
    if task.kind == "depth":
        return _depth(values, path)
    if task.kind == "segmentation":
        return _classes(task, values, path)
    return _positive(plane(values, path), path)


def _depth(values: NDArray[Any], path: Path) -> NDArray[np.float32]:
    """Depth in metres."""
    whole = np.issubdtype(values.dtype, np.integer)
    if whole == (path.suffix == ".npy") or values.dtype == np.uint8:
        raise ValueError(
            f"{path} holds {values.dtype}; depth is floats in metres in .npy, or 16-bit whole "
            "numbers of millimetres in .png"
        )
    return depth_of(values * 0.001 if whole else values, path)


def _positive(values_HW: NDArray[Any], path: Path) -> NDArray[np.int64]:
    """1 where a map is white. Of one bit or eight."""
    if values_HW.dtype != np.bool_ and values_HW.max() == 1:
        raise ValueError(f"{path} holds 0 and 1; positive pixels are white, so 255")
    return (values_HW > (0 if values_HW.dtype == np.bool_ else 127)).astype(np.int64)


def _label(task: Task, path: Path) -> int:
    name = " ".join(read_lines(path))
    if name not in task.labels:
        raise ValueError(f"{path}: one of {', '.join(task.labels)} expected, found {name!r}")
    return task.labels.index(name)


def _classes(task: Task, values: NDArray[Any], path: Path) -> NDArray[np.int64]:
    label_HW = plane(values, path).astype(np.int64)
    odd = label_HW[(label_HW >= task.outputs) & (label_HW != IGNORE)]
    if odd.size:
        raise ValueError(
            f"{path}: the classes 0 to {task.outputs - 1} and 255 expected, found {odd[0]}"
        )
    return label_HW


def load_own(folder: Path, part: str, network: NetworkConfig) -> Decoded:
    """Finds the files of one split; they are decoded when they are asked for.

    Args:
        folder: the folder that holds ``images`` and a folder for each task.
        part: ``train`` or ``test``.
        network: whose tasks are read, at whose size.

    Raises:
        ValueError: a folder is missing, or a target belongs to no image; the error names it.
    """
    within = folder / "images"
    images: dict[str, Path] = {}
    for path in sorted(within / name for name in names_in(within)):
        if path.suffix in IMAGES:
            if path.stem in images:
                raise ValueError(
                    f"{images[path.stem]} and {path} have one name, so that targets would belong "
                    "to both; rename one"
                )
            images[path.stem] = path
    if not images:
        raise ValueError(f"{within} holds no image; {', '.join(IMAGES)} are read")
    held_out = _test_stems(folder, list(images))
    stems = [stem for stem in images if (stem in held_out) == (part == "test")]
    if not stems:
        raise ValueError(f"{within} holds no image for {part}")
    targets = {
        task.name: _targets(folder / task.name, task, stems, images) for task in network.tasks
    }
    tasks = {task.name: task for task in network.tasks}
    own = Own(tuple(images[stem] for stem in stems), tasks, targets)
    return Decoded(own, network, TRANSFORMS)


def _test_stems(folder: Path, stems: list[str]) -> frozenset[str]:
    path = folder / "test.txt"
    if not path.exists():
        return frozenset(stems[::TEST_EVERY])
    known = frozenset(stems)
    # With its ending or without; a name may hold dots of its own.
    named = frozenset(x if x in known else _without_ending(x) for x in read_lines(path))
    unknown = sorted(named - known)
    if unknown:
        raise ValueError(f"{path} names {unknown[0]}, which is no image in {folder / 'images'}")
    return named


def _without_ending(name: str) -> str:
    return Path(name).stem if Path(name).suffix in IMAGES else name


def _targets(
    folder: Path, task: Task, stems: list[str], images: dict[str, Path]
) -> tuple[Path | None, ...]:
    names, endings = names_in(folder), ENDINGS[task.kind]
    # A missing target is allowed, so a misspelt one would pass unnoticed.
    for name in sorted(names):
        if Path(name).suffix not in endings:
            raise ValueError(f"{folder / name}: {task.kind} is read from {' or '.join(endings)}")
        if Path(name).stem not in images:
            raise ValueError(f"{folder / name} belongs to no image")
    return tuple(one_of(folder, stem, endings, names) for stem in stems)

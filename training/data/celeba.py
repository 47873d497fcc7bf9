"""CelebA (Liu et al. 2015): attributes of faces as two-way tasks.

::

    img_align_celeba/NAME.jpg
    list_attr_celeba.txt         the count, the attributes' names, then "NAME -1 1 ..." by image
    list_eval_partition.txt      "NAME P" by image: 0 training, 1 validation, 2 test
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.augment import Transforms
from training.data.decoded import Decoded, check_tasks
from training.data.files import names_in, read_lines
from training.recipe import NetworkConfig

ATTRIBUTES = {"gender": "Male", "age": "Young", "clothes": "Wearing_Necktie"}
"""The attribute that is each task; class 1 has it."""

PARTITIONS = {"train": "0", "val": "1", "test": "2"}

TRANSFORMS = Transforms(mirror=0.5)


@dataclass(frozen=True, eq=False)
class CelebA:
    """One split."""

    folder: Path
    names: tuple[str, ...]
    labels: dict[str, NDArray[np.int64]]
    """By task, [N] in {0, 1}."""

    def __len__(self) -> int:
        return len(self.names)

    def image(self, index: int) -> Path:
        """The file of an image."""
        return self.folder / self.names[index]

    def target(self, task: str, index: int) -> NDArray[np.int64]:
        """The label of a task, of shape []."""
        return np.asarray(self.labels[task][index])


def load_celeba(folder: Path, part: str, network: NetworkConfig) -> Decoded:
    """Reads the attributes of one split; images are decoded when they are asked for.

    Args:
        folder: the folder that holds ``img_align_celeba`` and the two lists.
        part: ``train``, ``val`` or ``test``.
        network: whose tasks are read, at whose size.

    Raises:
        ValueError: a file is missing or not in this layout, or the data set has not the
            network's tasks.
    """
    check_tasks(dict.fromkeys(ATTRIBUTES, "classification"), network, "CelebA")
    attributes = _attributes(folder / "list_attr_celeba.txt")
    within = folder / "img_align_celeba"
    images = names_in(within)
    path = folder / "list_eval_partition.txt"
    names: list[str] = []
    for line in read_lines(path):
        name, _, partition = line.partition(" ")
        if partition.strip() not in PARTITIONS.values():
            raise ValueError(f"{path}: an image and 0, 1 or 2 expected, found {line!r}")
        if partition.strip() != PARTITIONS[part]:
            continue
        if name not in attributes.rows:
            raise ValueError(f"{path} names {name}, which list_attr_celeba.txt does not")
        if name not in images:
            raise ValueError(f"{within / name} does not exist")
        names.append(name)
    if not names:
        raise ValueError(f"{path}: no image is of partition {PARTITIONS[part]} ({part})")
    rows = [attributes.rows[name] for name in names]
    labels = {t.name: attributes.column(ATTRIBUTES[t.name])[rows] for t in network.tasks}
    return Decoded(CelebA(within, tuple(names), labels), network, TRANSFORMS)


@dataclass(frozen=True, eq=False)
class _Attributes:
    path: Path
    header: list[str]
    rows: dict[str, int]
    values: NDArray[np.int64]

    def column(self, attribute: str) -> NDArray[np.int64]:
        """Whether each image has an attribute, [N] in {0, 1}."""
        if attribute not in self.header:
            raise ValueError(f"{self.path} lacks the attribute {attribute!r}")
        return (self.values[:, self.header.index(attribute)] > 0).astype(np.int64)


def _attributes(path: Path) -> _Attributes:
    count, *rest = read_lines(path)
    if not count.isdigit() or not rest:
        raise ValueError(f"{path}: the number of images expected first, found {count!r}")
    header, lines = rest[0].split(), rest[1:]
    if len(lines) != int(count):
        raise ValueError(f"{path}: {count} images expected, found {len(lines)}; is it truncated?")
    cells = [line.split() for line in lines]
    odd = next((c for c in cells if len(c) != 1 + len(header) or not {*c[1:]} <= {"1", "-1"}), None)
    if odd is not None:
        raise ValueError(f"{path}: {len(header)} times 1 or -1 expected for {odd[0]}")
    rows = {cell[0]: row for row, cell in enumerate(cells)}
    return _Attributes(path, header, rows, np.array([c[1:] for c in cells], dtype=np.int64))

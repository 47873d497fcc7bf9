"""CIFAR-100 (python version) and data sets in its layout, as 20 five-way tasks (CIFAR100-MTL)."""

import hashlib
import io
import math
import pickle
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from training.data.source import Batch
from training.tasks import IGNORE

SIDE = 32
"""Height and width of the images."""
CUTOUT = 8
"""Side of the square that is greyed out."""


class _PlainUnpickler(pickle.Unpickler):
    """Reads arrays and plain containers, and refuses everything else that a pickle can hold."""

    _ALLOWED = frozenset({"_reconstruct", "ndarray", "dtype", "encode", "scalar"})

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 - its signature
        if module.split(".")[0] in ("numpy", "_codecs") and name in self._ALLOWED:
            return super().find_class(module, name)
        raise ValueError(f"holds {module}.{name}, which is not part of the CIFAR-100 layout")


def _read(path: Path, keys: tuple[bytes, ...]) -> dict[bytes, Any]:
    try:
        content = _PlainUnpickler(io.BytesIO(path.read_bytes()), encoding="bytes").load()
    except FileNotFoundError:
        raise ValueError(
            f"{path} does not exist; a folder in the layout of CIFAR-100 (python version) "
            "with the files 'train', 'test' and 'meta' is expected"
        ) from None
    except Exception as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict) or not set(keys) <= set(content):
        raise ValueError(f"{path} lacks {[k.decode() for k in keys]}; is it CIFAR-100 (python)?")
    return cast("dict[bytes, Any]", content)


def _array(content: dict[bytes, Any], key: bytes, path: Path) -> NDArray[Any]:
    try:
        return np.asarray(content[key])
    except ValueError as error:
        raise ValueError(f"{path}: {key.decode()} is not an array: {error}") from error


def _labels(content: dict[bytes, Any], key: bytes, path: Path) -> NDArray[np.int64]:
    labels = _array(content, key, path)
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"{path}: {key.decode()} must be a list of integers")
    return labels.astype(np.int64)


def _names(content: dict[bytes, Any], key: bytes, path: Path) -> list[str]:
    names = content[key]
    if not isinstance(names, list) or not all(isinstance(name, bytes) for name in names):
        raise ValueError(f"{path}: {key.decode()} must be a list of names as bytes")
    return [name.decode(errors="replace") for name in names]


def slug(name: str) -> str:
    """A class name as a task name: lower case, with a hyphen for what is no letter or digit."""
    return re.sub(r"[^a-z0-9_]+", "-", name.lower()).strip("-")


@dataclass(frozen=True, eq=False)
class Cifar100:
    """One split, each image belonging to exactly one task (its coarse label).

    Fine labels are numbered from 0 within their task, in sorted order of the training images'.
    """

    images_NHWC: NDArray[np.uint8]
    task_N: NDArray[np.int64]
    label_N: NDArray[np.int64]
    names: tuple[str, ...]
    """Task names, one per coarse label."""
    labels: tuple[tuple[str, ...], ...]
    """Class names of each task."""

    def __len__(self) -> int:
        return len(self.images_NHWC)

    def of_task(self, name: str) -> "Cifar100":
        """The images of one task alone."""
        task = self.names.index(name)
        mine_N = self.task_N == task
        return Cifar100(
            images_NHWC=self.images_NHWC[mine_N],
            task_N=np.zeros(int(mine_N.sum()), dtype=np.int64),
            label_N=self.label_N[mine_N],
            names=(name,),
            labels=(self.labels[task],),
        )

    def pixels(self, indices_N: Tensor) -> Tensor:
        """The stored images at these indices, uint8 [N, 32, 32, 3]."""
        return torch.from_numpy(self.images_NHWC[indices_N.numpy()])

    def identity(self) -> str:
        """Pixels and labels."""
        digest = hashlib.sha256(self.images_NHWC.tobytes())
        digest.update(self.task_N.tobytes())
        digest.update(self.label_N.tobytes())
        return digest.hexdigest()

    def batch(self, indices_N: Tensor) -> Batch:
        """The images at these indices; a task's target is IGNORE on other tasks' images."""
        images_NCHW = self.pixels(indices_N).permute(0, 3, 1, 2).float() / 255
        task_N = torch.from_numpy(self.task_N[indices_N.numpy()])
        label_N = torch.from_numpy(self.label_N[indices_N.numpy()])
        targets = {
            name: torch.where(task_N == i, label_N, IGNORE) for i, name in enumerate(self.names)
        }
        return Batch(images_NCHW, targets)

    def augment(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Random flips, rotations, scales and shifts, colours, and a hole.

        Stronger than the flips, 4-pixel crops and 8x8 cutout of cifar10-fast, whose ResNet-9 this
        layout is trained with: a data set of thousands of images is soon known by heart.
        """
        images_NCHW = _recoloured(_moved(batch.images_NCHW, generator), generator)
        return Batch(_cut_out(images_NCHW, generator), batch.targets)


def _moved(images_NCHW: Tensor, generator: torch.Generator) -> Tensor:
    """A random affine transform; what comes in from outside is the mirrored image.

    Flipped or not, rotated by up to 12 degrees, size and aspect ratio changed by up to 20%,
    shifted by up to 3.5 pixels.
    """

    def uniform(limit: float) -> Tensor:
        return limit * (2 * torch.rand(len(images_NCHW), generator=generator) - 1)

    angle_N, scale_N, aspect_N = uniform(math.radians(12)), uniform(0.18).exp(), uniform(0.09).exp()
    sign_N = torch.where(uniform(1) < 0, -1.0, 1.0)
    cos_N, sin_N = scale_N * angle_N.cos(), scale_N * angle_N.sin()
    x_N3 = torch.stack([sign_N * aspect_N * cos_N, -sin_N, uniform(0.22)], dim=1)
    y_N3 = torch.stack([sign_N * sin_N, cos_N / aspect_N, uniform(0.22)], dim=1)
    grid_NHW2 = F.affine_grid(
        torch.stack([x_N3, y_N3], dim=1), list(images_NCHW.shape), align_corners=False
    )
    return F.grid_sample(images_NCHW, grid_NHW2, padding_mode="reflection", align_corners=False)


def _recoloured(images_NCHW: Tensor, generator: torch.Generator) -> Tensor:
    """Contrast changed by up to 30%, brightness by up to 0.15 and each channel by up to 0.1."""

    def uniform(limit: float, channels: int) -> Tensor:
        shape = (len(images_NCHW), channels, 1, 1)
        return limit * (2 * torch.rand(shape, generator=generator) - 1)

    mean_N1 = images_NCHW.mean(dim=(1, 2, 3), keepdim=True)
    contrast_N1, shift_NC = 1 + uniform(0.3, 1), uniform(0.15, 1) + uniform(0.1, 3)
    return ((images_NCHW - mean_N1) * contrast_N1 + mean_N1 + shift_NC).clamp(0, 1)


def _cut_out(images_NCHW: Tensor, generator: torch.Generator) -> Tensor:
    """A square of 8x8 pixels greyed out (DeVries and Taylor 2017)."""
    n = len(images_NCHW)
    corner_NX = torch.randint(0, SIDE - CUTOUT + 1, (n, 2), generator=generator)
    offset_NXS = torch.arange(SIDE) - corner_NX[:, :, None]
    inside_NXS = (offset_NXS >= 0) & (offset_NXS < CUTOUT)
    hole_NHW = inside_NXS[:, 0, :, None] & inside_NXS[:, 1, None, :]
    return images_NCHW.masked_fill(hole_NHW[:, None], 0.5)


class _Part(NamedTuple):
    """What a file of images holds."""

    data: NDArray[np.uint8]
    """[N, 3072], red before green before blue."""
    fine_N: NDArray[np.int64]
    coarse_N: NDArray[np.int64]


def load_cifar100(folder: Path, part: str) -> Cifar100:
    """Reads one split.

    Args:
        folder: the folder that holds ``train``, ``test`` and ``meta``.
        part: ``train`` or ``test``.

    Raises:
        ValueError: a file is missing, truncated or not in this layout, or a test image is of a
            class without training images; the error names it.
    """
    meta = _read(folder / "meta", (b"fine_label_names", b"coarse_label_names"))
    fine_names = _names(meta, b"fine_label_names", folder / "meta")
    coarse_names = _names(meta, b"coarse_label_names", folder / "meta")
    train = _part(folder / "train", len(fine_names), len(coarse_names))
    # Numbered by the training images in both: a test split may lack a class.
    members = [np.unique(train.fine_N[train.coarse_N == t]) for t in range(len(coarse_names))]
    found = train if part == "train" else _part(folder / part, len(fine_names), len(coarse_names))
    label_N = np.empty_like(found.fine_N)
    for t, classes in enumerate(members):
        fine_N = found.fine_N[found.coarse_N == t]
        unknown = np.setdiff1d(fine_N, classes)
        if unknown.size:
            raise ValueError(
                f"{folder / part}: an image is of the class {fine_names[unknown[0]]!r} of "
                f"{coarse_names[t]!r}, which no training image is"
            )
        label_N[found.coarse_N == t] = np.searchsorted(classes, fine_N)
    images_NCHW = found.data.reshape(-1, 3, SIDE, SIDE)
    return Cifar100(
        images_NHWC=np.ascontiguousarray(images_NCHW.transpose(0, 2, 3, 1)),
        task_N=found.coarse_N,
        label_N=label_N,
        names=tuple(slug(n) for n in coarse_names),
        labels=tuple(tuple(fine_names[c] for c in classes) for classes in members),
    )


def _part(path: Path, fine_names: int, coarse_names: int) -> _Part:
    raw = _read(path, (b"data", b"fine_labels", b"coarse_labels"))
    data = _array(raw, b"data", path)
    fine_N, coarse_N = _labels(raw, b"fine_labels", path), _labels(raw, b"coarse_labels", path)
    if data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != 3 * SIDE * SIDE:
        raise ValueError(
            f"{path}: uint8 data of shape [N, 3072] expected, found {data.dtype} {list(data.shape)}"
        )
    if not len(data) == len(fine_N) == len(coarse_N) or not len(data):
        raise ValueError(
            f"{path}: as many labels as images expected, "
            f"found {len(data)} images, {len(fine_N)} fine and {len(coarse_N)} coarse labels"
        )
    for kind, label_N, count in (("fine", fine_N, fine_names), ("coarse", coarse_N, coarse_names)):
        if label_N.min() < 0 or label_N.max() >= count:
            raise ValueError(f"{path}: {kind} labels lie outside the names in 'meta'")
    return _Part(data, fine_N, coarse_N)

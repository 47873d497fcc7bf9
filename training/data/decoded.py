"""A data set of files, decoded as they are asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from training.data.augment import Transforms, augmented
from training.data.files import read_image
from training.data.source import Batch, digest_of_text
from training.recipe import NetworkConfig
from training.tasks import IGNORE, Task


class Layout(Protocol):
    """Where a data set keeps the images and targets of one split, and how they are coded."""

    def __len__(self) -> int:
        """Number of images."""

    def image(self, index: int) -> Path:
        """The file of an image."""

    def target(self, task: str, index: int) -> NDArray[Any] | None:
        """The ground truth of a task for an image, or None where there is none.

        A label []; classes [H, W]; depth [H, W] in metres; unit normals [H, W, 3]; edges or
        saliency [H, W] in {0, 1}. Absent pixels are as :func:`training.tasks.task_loss` says. H
        and W are those of the file.

        Raises:
            ValueError: the file is missing, truncated or not in this layout; the error names it.
        """


@dataclass(frozen=True, eq=False)
class Decoded:
    """Images and targets at the network's input size.

    Images are resized bilinearly; targets take the nearest pixel, so that nothing is mixed.
    """

    layout: Layout
    network: NetworkConfig
    """Whose tasks are read, at whose size."""
    transforms: Transforms
    """For training."""

    def __len__(self) -> int:
        return len(self.layout)

    def batch(self, indices_N: Tensor) -> Batch:
        """The images at these indices, with the aspect ratios of their files."""
        indices: list[int] = indices_N.tolist()
        images = [read_image(self.layout.image(i)) for i in indices]
        aspect_N = torch.tensor([image.width / image.height for image in images])
        pixels_NHWC = torch.from_numpy(np.stack([self._resized(image) for image in images]))
        targets = {
            task.name: torch.stack([self._target(task, i) for i in indices])
            for task in self.network.tasks
        }
        return Batch(pixels_NHWC.permute(0, 3, 1, 2).float() / 255, targets, aspect_N)

    def augment(self, batch: Batch, generator: torch.Generator) -> Batch:
        """The data set's random training transforms."""
        kinds = {task.name: task.kind for task in self.network.tasks}
        fill = torch.tensor(self.network.mean)
        return augmented(batch, self.transforms, kinds, fill, generator)

    def pixels(self, indices_N: Tensor) -> Tensor:
        """The images at these indices at the network's size, uint8 [N, H, W, 3]."""
        images = [self._resized(read_image(self.layout.image(i))) for i in indices_N.tolist()]
        return torch.from_numpy(np.stack(images))

    def identity(self) -> str:
        """The names of the images' files, wherever their folder lies."""
        return digest_of_text("\n".join(self.layout.image(i).name for i in range(len(self))))

    def _resized(self, image: Image.Image) -> NDArray[np.uint8]:
        size = (self.network.width, self.network.height)
        return np.asarray(image.resize(size, Image.Resampling.BILINEAR))

    def _target(self, task: Task, index: int) -> Tensor:
        height, width = self.network.height, self.network.width
        found = self.layout.target(task.name, index)
        if found is None:
            return _absent(task, height, width)
        if task.kind == "classification":
            return torch.tensor(int(found))
        resized = nearest(found, height, width)
        if task.kind == "depth":
            return torch.from_numpy(resized.astype(np.float32))
        if task.kind == "normals":
            return torch.from_numpy(resized.astype(np.float32)).permute(2, 0, 1)
        return torch.from_numpy(resized.astype(np.int64))


def _absent(task: Task, height: int, width: int) -> Tensor:
    """The target of an image that a task has no ground truth for."""
    if task.kind == "classification":
        return torch.tensor(IGNORE)
    if task.kind == "depth":
        return torch.zeros(height, width)
    if task.kind == "normals":
        return torch.zeros(3, height, width)
    return torch.full((height, width), IGNORE)


def nearest(values: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """Resizes [H, W, ...] to [height, width, ...]; each pixel is the one its centre lies in."""
    rows = (2 * np.arange(height) + 1) * values.shape[0] // (2 * height)
    columns = (2 * np.arange(width) + 1) * values.shape[1] // (2 * width)
    resized: NDArray[Any] = values[rows[:, None], columns]
    return resized


def check_tasks(known: Mapping[str, str], network: NetworkConfig, data_set: str) -> None:
    """Checks that a data set has the tasks that a network is for.

    Args:
        known: the kind of each task that the data set has.
        network: the network.
        data_set: the data set's name.

    Raises:
        ValueError: it has not, or a task is of another kind.
    """
    for task in network.tasks:
        if known.get(task.name) != task.kind:
            has = ", ".join(f"{name} ({kind})" for name, kind in known.items())
            raise ValueError(
                f"{data_set} has no task {task.name!r} of kind {task.kind!r}; it has {has}"
            )

"""What the training loop asks of a data set."""

import hashlib
from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor


class Batch(NamedTuple):
    """Images and their targets."""

    images_NCHW: Tensor
    """Float32 RGB in [0, 1]."""
    targets: dict[str, Tensor]
    """Ground truth by task, as :func:`training.tasks.task_loss` reads it."""
    aspect_N: Tensor | None = None
    """Width over height of each image before it was resized, float [N]; None if it was not."""


class Source(Protocol):
    """A data set: in memory, mapped into it, or decoded from files as it is asked for."""

    def __len__(self) -> int:
        """Number of images."""

    def batch(self, indices_N: Tensor) -> Batch:
        """The images at these indices."""

    def augment(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Random training transforms of a batch."""

    def pixels(self, indices_N: Tensor) -> Tensor:
        """The stored images at these indices, uint8 [N, H, W, 3]."""

    def identity(self) -> str:
        """Tells these images, in this order, from others: files by name, arrays by content."""


class Subset:
    """Some images of a source."""

    def __init__(self, source: Source, indices: Tensor) -> None:
        self.source, self.indices = source, indices

    def __len__(self) -> int:
        return len(self.indices)

    def batch(self, indices_N: Tensor) -> Batch:
        """The images at these positions of the subset."""
        return self.source.batch(self.indices[indices_N])

    def augment(self, batch: Batch, generator: torch.Generator) -> Batch:
        """The source's training transforms."""
        return self.source.augment(batch, generator)

    def pixels(self, indices_N: Tensor) -> Tensor:
        """The stored images at these positions."""
        return self.source.pixels(self.indices[indices_N])

    def identity(self) -> str:
        """Which images of which source."""
        return digest_of_text(f"{self.source.identity()} {self.indices.tolist()}")


def digest_of_text(text: str) -> str:
    """The SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def split(source: Source, share: float, seed: int) -> tuple[Subset, Subset]:
    """A random split: the training part, and a validation part of this share (ECMT: 10%)."""
    order = torch.from_numpy(np.random.default_rng(seed).permutation(len(source)))
    held_out = round(share * len(source))
    return Subset(source, order[held_out:]), Subset(source, order[:held_out])


def in_order(source: Source, batch_size: int) -> Iterator[Batch]:
    """Every image once, without augmentation."""
    for start in range(0, len(source), batch_size):
        yield source.batch(torch.arange(start, min(start + batch_size, len(source))))

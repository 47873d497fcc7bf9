"""Augmented training batches, made in the background, the same ones for any number of ranks."""

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from training.data.source import Batch, Source
from training.machine import usable_cores

PARTS = 16
"""Parts a batch is augmented in. Each has random numbers of its own, so that a rank makes those
parts that its images lie in and no others."""

ORDER, AUGMENT = 1, 2
"""Tell random numbers for one purpose from those for another, which have the same seed."""


def default_workers() -> int:
    """Threads for one process: the cores, less one that trains, up to 8."""
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return min(max(usable_cores() // here - 1, 1), 8)


@dataclass(frozen=True)
class Loader:
    """The batches of a run.

    Everything random in a batch is drawn from (seed, epoch, step): neither the number of ranks and
    workers nor where a run was interrupted changes any batch. Batches are made in threads:
    decoders and tensor operations release the interpreter's lock, and the data need not be copied
    to other processes.
    """

    source: Source
    batch_size: int
    """Of all ranks together."""
    seed: int
    images: range
    """Which of a batch's images are made here."""
    workers: int = 1
    """Threads, each of which makes a batch."""
    pinned: bool = False
    """Whether batches lie in page-locked memory, from which a GPU reads while it computes."""

    def __post_init__(self) -> None:
        if len(self.source) < self.batch_size:
            raise ValueError(
                f"{len(self.source)} images do not fill one batch of {self.batch_size}"
            )

    @property
    def steps(self) -> int:
        """Batches in an epoch; a last incomplete one is dropped."""
        return len(self.source) // self.batch_size

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from the first-th on, in another order for every epoch."""
        order = np.random.default_rng([ORDER, self.seed, epoch]).permutation(len(self.source))
        waiting: deque[Future[Batch]] = deque()
        with ThreadPoolExecutor(self.workers, "loader") as pool:
            try:
                for step in range(first, self.steps):
                    start = step * self.batch_size
                    indices_N = torch.from_numpy(order[start : start + self.batch_size])
                    waiting.append(pool.submit(self._made, indices_N, epoch, step))
                    if len(waiting) > self.workers:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def _made(self, indices_N: torch.Tensor, epoch: int, step: int) -> Batch:
        parts: list[Batch] = []
        first = 0
        for part, mine_N in enumerate(indices_N.tensor_split(min(PARTS, len(indices_N)))):
            lower, upper = (
                min(max(i - first, 0), len(mine_N)) for i in (self.images.start, self.images.stop)
            )
            first += len(mine_N)
            if lower < upper:
                entropy = [AUGMENT, self.seed, epoch, step, part]
                seed = np.random.SeedSequence(entropy).generate_state(1)
                generator = torch.Generator().manual_seed(int(seed[0]))
                whole = self.source.augment(self.source.batch(mine_N), generator)
                parts.append(_cut(whole, slice(lower, upper)))
        batch = Batch(
            torch.cat([p.images_NCHW for p in parts]),
            {t: torch.cat([p.targets[t] for p in parts]) for t in parts[0].targets},
        )
        return _pinned(batch) if self.pinned else batch


def _cut(batch: Batch, images: slice) -> Batch:
    return Batch(batch.images_NCHW[images], {t: y[images] for t, y in batch.targets.items()})


def _pinned(batch: Batch) -> Batch:
    return Batch(
        batch.images_NCHW.pin_memory(), {t: y.pin_memory() for t, y in batch.targets.items()}
    )

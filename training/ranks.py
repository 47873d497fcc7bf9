"""The processes that train together, as torchrun starts them, and what they say to each other.

Gradients are not reduced by DistributedDataParallel: its reducer fires in every backward pass, of
which a step of the sandwich rule has b, and waits for parameters that a sub-network leaves unused.
Here the passes accumulate on each rank, and :meth:`Ranks.add_up` then sums everything in one
all-reduce of one flat vector, a b-th of the traffic.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import nn

T = TypeVar("T")

PATIENCE = timedelta(hours=4)
"""How long a rank waits for another, which may be rendering scenes meanwhile."""


@dataclass(frozen=True)
class Ranks:
    """This process among those that train together; the default is one process alone.

    Every method but :meth:`part` is collective: all ranks must call it, in the same order.
    """

    rank: int = 0
    count: int = 1
    local: int = 0
    """The rank among those of the same machine."""
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def first(self) -> bool:
        """Whether this rank is the one that writes files."""
        return self.rank == 0

    def part(self, n: int) -> range:
        """Which of n things in a row are this rank's: as many for each as there can be."""
        return range(n * self.rank // self.count, n * (self.rank + 1) // self.count)

    def sums(self, values: Sequence[float]) -> list[float]:
        """Sums over the ranks, in float64."""
        if self.count == 1:
            return list(values)
        total = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        return [float(value) for value in total]

    def add_up(self, parameters: Iterable[nn.Parameter], values: Sequence[float]) -> list[float]:
        """Replaces gradients by their sums over the ranks, in one all-reduce.

        Args:
            parameters: the same on every rank, and with a gradient on the same ranks: on all or
                on none.
            values: numbers that are summed on the way, in the gradients' precision.

        Returns:
            The sums of the values.
        """
        if self.count == 1:
            return list(values)
        gradients = [p.grad for p in parameters if p.grad is not None]
        extra = torch.tensor(values, dtype=gradients[0].dtype, device=self.device)
        flat = torch.cat([*(g.reshape(-1) for g in gradients), extra])
        dist.all_reduce(flat)
        sizes = [*(g.numel() for g in gradients), len(values)]
        *sums, extra = torch.split(flat, sizes)
        for gradient, total in zip(gradients, sums, strict=True):
            gradient.copy_(total.view(gradient.shape))
        return [float(value) for value in extra]

    def from_first(self, make: Callable[[], T]) -> T:
        """What the first rank makes, on every rank: only that one needs the files.

        Raises:
            ValueError: on every rank, if making it raised one.
        """
        if self.count == 1:
            return make()
        made: list[T | None] = [None]
        refused: list[str | None] = [None]
        if self.first:
            try:
                made = [make()]
            except ValueError as error:
                refused = [str(error)]
        box = [*made, *refused]
        dist.broadcast_object_list(box, src=0, device=self.device)
        if box[1] is not None:
            raise ValueError(box[1])
        return box[0]  # type: ignore[return-value]

    def in_turns(self, count: int, measure: Callable[[int], T], start: int = 0) -> Iterator[T]:
        """Measures things numbered from ``start`` up to ``count``, each on one rank.

        Yields:
            The results in the order of their numbers, on every rank, as soon as each rank has
            measured one.
        """
        for base in range(start, count, self.count):
            index = base + self.rank
            mine = measure(index) if index < count else None
            if self.count == 1:
                found: list[T | None] = [mine]
            else:
                found = [None] * self.count
                dist.all_gather_object(found, mine)
            yield from found[: count - base]  # type: ignore[misc]

    @contextmanager
    def one_a_machine_first(self) -> Iterator[None]:
        """Lets one rank of each machine through before the others, which find its files."""
        if self.count > 1 and self.local > 0:
            dist.barrier()
        try:
            yield
        finally:
            # After an error too, which the others will then meet themselves.
            if self.count > 1 and self.local == 0:
                dist.barrier()


@contextmanager
def started() -> Iterator[Ranks]:
    """The ranks that torchrun started, or this process alone; on its own GPU if there is one.

    Raises:
        ValueError: more processes were started on this machine than it has GPUs.
    """
    count, local = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device("cpu")
    if torch.cuda.is_available():
        if local >= torch.cuda.device_count():
            raise ValueError(
                f"more processes than this machine's {torch.cuda.device_count()} GPUs; "
                "start torchrun with --nproc-per-node gpu"
            )
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
    if count == 1:
        yield Ranks(device=device)
        return
    cuda = device.type == "cuda"
    dist.init_process_group(
        "nccl" if cuda else "gloo", timeout=PATIENCE, device_id=device if cuda else None
    )
    try:
        yield Ranks(dist.get_rank(), count, local, device)
    finally:
        dist.destroy_process_group()

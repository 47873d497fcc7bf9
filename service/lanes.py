"""How networks run.

Where batching does not pay (the CPU) input, run and answer are one hop to a worker thread, behind
one queue; and no hop where there is one thread and the work is brief. Where it does (a GPU), inputs
are prepared in parallel first, then gathered into batches.
"""

import asyncio
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]
from numpy.typing import NDArray

from service.batches import Outputs, join, split
from service.device import Device
from service.metrics import Metrics
from service.scheduling.brief import Brief
from service.scheduling.scheduler import Limits, Scheduler

P = TypeVar("P")
R = TypeVar("R")


@dataclass(frozen=True, eq=False)
class Work:
    """One run of a network."""

    subnet_id: str
    model: str
    """Its name, for the metrics."""
    gmacs: float
    """Of the network, for the metrics."""
    session: ort.InferenceSession
    names: tuple[str, ...]
    """The outputs that are wanted."""
    input_NCHW: NDArray[np.float32]


_Key: TypeAlias = tuple[str, tuple[str, ...], tuple[int, ...], int]
"""Sub-network, tasks and input shape: works that agree in them may share a run. And, for inputs
that are batches already, a number of their own: joined, there would be no bound on their size."""


class Lanes:
    """Runs networks on a device, within the limits of what runs and waits."""

    def __init__(
        self,
        device: Device,
        executor: Executor,
        accelerator: Executor,
        limits: Limits,
        metrics: Metrics,
    ) -> None:
        """Nothing runs yet.

        Args:
            device: what networks run on.
            executor: where inputs are prepared and answers finished; on the CPU networks run here.
            accelerator: where batches run.
            limits: of what runs and waits; with ``batch`` 1 nothing is batched.
            metrics: told how long things took.
        """
        self._device = device
        self._executor = executor
        self._metrics = metrics
        self._alone: Scheduler[str, Callable[[], Any], Any] = Scheduler(
            _call_each, executor, Limits(limits.slots, limits.queue), metrics.count_wait
        )
        self._preparing: Scheduler[str, Callable[[], Any], Any] = Scheduler(
            _call_each, executor, Limits(limits.slots, limits.queue)
        )
        self._batched: Scheduler[_Key, Work, Outputs] = Scheduler(
            self._run_together,
            accelerator,
            # One batch at a time: while it runs, the next one gathers.
            Limits(1, limits.queue, limits.batch),
            metrics.count_batch,
        )
        self.batching = limits.batch > 1
        # The event loop's thread in place of the only other one: nothing runs less at a time.
        self.runs_brief_work_here = limits.slots == 1 and not self.batching
        self._brief = Brief()

    @property
    def waiting(self) -> int:
        """What waits for its turn."""
        return self._alone.waiting + self._preparing.waiting + self._batched.waiting

    @property
    def running(self) -> int:
        """That whose turn it is."""
        return self._alone.running + self._preparing.running + self._batched.running

    async def run(
        self,
        subnet_id: str,
        prepare: Callable[[], tuple[P, Work]],
        finish: Callable[[P, Outputs, float], R],
        deadline: float,
        kind: Hashable = None,
    ) -> R:
        """From an input to an answer, by way of a network.

        Args:
            subnet_id: the network.
            prepare: makes its input, in a worker thread; what goes with it is for ``finish``.
            finish: makes the answer, in a worker thread, from the outputs and the seconds that the
                run took (on a GPU, with the wait for its batch).
            deadline: in seconds of the event loop's clock.
            kind: work of one kind takes about as long; None where nobody knows how long it takes.

        Raises:
            OverloadedError: as many wait as may.
            DeadlineError: the deadline passed before its turn came.
        """
        if not self.batching:

            def at_once() -> tuple[R, float]:
                # Of the processor: that others take it as well does not make it better to wait.
                begun = time.thread_time()
                prepared, work = prepare()
                start = time.perf_counter()
                (outputs,) = self._run_together([work])
                answer = finish(prepared, outputs, time.perf_counter() - start)
                return answer, time.thread_time() - begun

            here = self.runs_brief_work_here and kind in self._brief
            answer, seconds = cast(
                "tuple[R, float]", await self._alone.submit(subnet_id, at_once, deadline, here)
            )
            if kind is not None:
                self._brief.note(kind, seconds)
            return answer
        prepared, work = cast(
            "tuple[P, Work]", await self._preparing.submit(subnet_id, prepare, deadline)
        )
        start = time.perf_counter()
        outputs = await self._batched.submit(_key(work), work, deadline)
        infer_s = time.perf_counter() - start
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, finish, prepared, outputs, infer_s)

    def _run_together(self, batch: Sequence[Work]) -> list[Outputs]:
        """One run for all of them; they have the same key."""
        first = batch[0]
        input_NCHW = join([w.input_NCHW for w in batch])
        start = time.perf_counter()
        outputs = self._device.run(first.session, first.names, input_NCHW)
        seconds = time.perf_counter() - start
        self._metrics.count_run(first.model, seconds, [work.gmacs for work in batch])
        return split(outputs, [len(w.input_NCHW) for w in batch])


def _key(work: Work) -> _Key:
    shape = work.input_NCHW.shape
    return work.subnet_id, work.names, shape, id(work) if shape[0] > 1 else 0


def _call_each(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    return [call() for call in calls]

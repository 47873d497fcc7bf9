"""The queue at work: admission, slots, and batches of what waits when a slot becomes free."""

import asyncio
import math
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from service.errors import DeadlineError, OverloadedError
from service.scheduling.pace import Pace
from service.scheduling.waiting import Entry, QueueFullError, Waiting

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Limits:
    """How much runs and waits."""

    slots: int
    """Batches that run at a time, each in a thread of the executor."""
    queue: int
    """The most entries that wait."""
    batch: int = 1
    """The most entries that run together; 1 is no batching."""


@dataclass(frozen=True)
class Batch:
    """A batch that was run, for the metrics."""

    size: int
    waited_s: tuple[float, ...]
    """Seconds that each entry waited."""


@dataclass(frozen=True, eq=False)
class _Ticket(Generic[T, R]):
    item: T
    here: bool
    answer: asyncio.Future[R]


class Scheduler(Generic[K, T, R]):
    """Runs what is submitted in an executor, within limits.

    An entry that finds a free slot runs at once; otherwise it waits, and when a slot becomes free
    the one that has waited longest runs together with what waits for the same key. No timer: a
    batch is as large as the load makes it. Belongs to one event loop.
    """

    def __init__(
        self,
        run: Callable[[Sequence[T]], Sequence[R]],
        executor: Executor,
        limits: Limits,
        started: Callable[[Batch], None] = lambda _: None,
    ) -> None:
        """Nothing runs yet.

        Args:
            run: takes items of one key and gives as many results in the same order; called in the
                executor. What it raises is raised for each of them.
            executor: with at least as many threads as slots.
            limits: of what runs and waits.
            started: told of every batch that starts.
        """
        self._run = run
        self._executor = executor
        self._limits = limits
        self._started = started
        self._waiting: Waiting[K, _Ticket[T, R]] = Waiting(limits.queue)
        self._pace = Pace()
        self._batches = 0
        self._entries = 0

    @property
    def waiting(self) -> int:
        """Entries that wait for a slot."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """Entries that run."""
        return self._entries

    async def submit(self, key: K, item: T, deadline: float = math.inf, here: bool = False) -> R:
        """Runs one item as soon as there is a slot.

        A caller that is cancelled while its entry waits takes it out of the queue: it never runs.

        Args:
            key: items of one key may run together.
            item: what to run.
            deadline: in seconds of the event loop's clock; an entry that still waits then is
                dropped. What runs is not interrupted.
            here: runs on the event loop, when its turn has come: for what is over before a thread
                would have begun. Others are looked after between two of them.

        Raises:
            OverloadedError: as many wait as may; it says when to come again.
            DeadlineError: the deadline passed before its turn came.
        """
        loop = asyncio.get_running_loop()
        ticket: _Ticket[T, R] = _Ticket(item, here, loop.create_future())
        entry = Entry(key, ticket, loop.time(), deadline)
        if self._batches < self._limits.slots:  # then nobody waits
            self._launch(loop, (entry,))
        else:
            try:
                self._waiting.add(entry)
            except QueueFullError as error:
                raise self._overloaded() from error
        try:
            return await ticket.answer
        finally:
            self._waiting.remove(entry)

    def _overloaded(self) -> OverloadedError:
        ahead = len(self._waiting) + self._entries
        return OverloadedError(
            f"{len(self._waiting)} requests wait already, as many as may",
            self._pace.retry_after(ahead, self._limits.slots),
        )

    def _launch(
        self, loop: asyncio.AbstractEventLoop, batch: tuple[Entry[K, _Ticket[T, R]], ...]
    ) -> None:
        self._batches += 1
        self._entries += len(batch)
        now = loop.time()
        self._started(Batch(len(batch), tuple(now - e.arrived for e in batch)))
        items = [e.item.item for e in batch]
        if all(e.item.here for e in batch):
            loop.call_soon(self._run_here, loop, batch, now, items)
        else:
            work = loop.run_in_executor(self._executor, self._run, items)
            work.add_done_callback(partial(self._landed, loop, batch, now))

    def _run_here(
        self,
        loop: asyncio.AbstractEventLoop,
        batch: tuple[Entry[K, _Ticket[T, R]], ...],
        started: float,
        items: Sequence[T],
    ) -> None:
        work: asyncio.Future[Sequence[R]] = loop.create_future()
        try:
            work.set_result(self._run(items))
        except Exception as error:
            work.set_exception(error)
        self._landed(loop, batch, started, work)

    def _landed(
        self,
        loop: asyncio.AbstractEventLoop,
        batch: tuple[Entry[K, _Ticket[T, R]], ...],
        started: float,
        work: asyncio.Future[Sequence[R]],
    ) -> None:
        self._batches -= 1
        self._entries -= len(batch)
        self._pace.note(loop.time() - started, len(batch))
        answers = [e.item.answer for e in batch]
        if work.cancelled():  # the executor was shut down before its turn
            for answer in answers:
                answer.cancel()
        elif (error := work.exception()) is not None:
            for answer in answers:
                if not answer.done():
                    answer.set_exception(error)
        else:
            for answer, result in zip(answers, work.result(), strict=True):
                if not answer.done():  # done: its caller has left
                    answer.set_result(result)
        self._next(loop)

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._waiting and self._batches < self._limits.slots:
            taken = self._waiting.take(self._limits.batch, loop.time())
            for entry in taken.expired:
                if not entry.item.answer.done():
                    entry.item.answer.set_exception(DeadlineError.waiting())
            if taken.batch:
                self._launch(loop, taken.batch)

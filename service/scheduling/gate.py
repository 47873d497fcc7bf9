"""So many at a time, so many that wait, and no more."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

from model_store.cache_flights import Flights
from service.errors import OverloadedError
from service.scheduling.pace import Pace

T = TypeVar("T")


class Gate:
    """Bounds work that brings its own concurrency, such as the building of sub-networks."""

    def __init__(self, what: str, slots: int, queue: int) -> None:
        """Nobody is inside.

        Args:
            what: in words, for the error: "searches".
            slots: the most inside at a time.
            queue: the most that wait.
        """
        self._what = what
        self._slots = slots
        self._queue = queue
        self._semaphore = asyncio.Semaphore(slots)
        self._pace = Pace()
        self._inside: Flights[Any] = Flights()
        self.waiting = 0

    @property
    def retry_after_s(self) -> int:
        """Whole seconds until what waits and what is inside now will be done."""
        return self._pace.retry_after(self.waiting + self._slots, self._slots)

    async def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """Waits for a place, and does work in it.

        Nothing is begun for a caller that is cancelled while it waits. What was begun is finished,
        and has its place until then, whether or not the caller still waits for it.

        Raises:
            OverloadedError: as many wait as may; it says when to come again.
        """
        if self._semaphore.locked() and self.waiting >= self._queue:
            raise OverloadedError(
                f"{self.waiting} {self._what} wait already, as many as may", self.retry_after_s
            )
        self.waiting += 1
        try:
            await self._semaphore.acquire()
        finally:
            self.waiting -= 1
        result: T = await self._inside.run(object(), partial(self._hold, work))
        return result

    async def _hold(self, work: Callable[[], Awaitable[T]]) -> T:
        loop = asyncio.get_running_loop()
        start = loop.time()
        try:
            return await work()
        finally:
            self._semaphore.release()
            self._pace.note(loop.time() - start)

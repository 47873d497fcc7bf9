"""One piece of work for many callers that want the same at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass
class _Flight(Generic[T]):
    task: asyncio.Task[T]
    callers: int = 0


class Flights(Generic[T]):
    """Work in flight by key, within one event loop."""

    def __init__(self, while_wanted: bool = False) -> None:
        """Nothing is under way.

        Args:
            while_wanted: cancel work with the last of its callers. Else it goes on: the next one,
                and the cache, still want the result.
        """
        self._flights: dict[Hashable, _Flight[T]] = {}
        self._while_wanted = while_wanted

    def __len__(self) -> int:
        return len(self._flights)

    async def run(self, key: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        """Starts ``work``, or joins the one under way for the same key.

        The work goes on when a caller is cancelled (its client left), for the others. All callers
        get the same result or the same exception.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight(asyncio.create_task(self._finish(work)))
            flight.task.add_done_callback(partial(self._landed, key))
        flight.callers += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.callers -= 1
            if self._while_wanted and not flight.callers:
                flight.task.cancel()
                self._forget(key, flight.task)  # who comes before it has ended starts anew

    @staticmethod
    async def _finish(work: Callable[[], Awaitable[T]]) -> T:
        return await work()

    def _landed(self, key: Hashable, task: asyncio.Task[T]) -> None:
        self._forget(key, task)
        # Retrieved here, so that a failure nobody waits for any more is not reported twice.
        _ = task.cancelled() or task.exception()

    def _forget(self, key: Hashable, task: asyncio.Task[T]) -> None:
        flight = self._flights.get(key)
        if flight is not None and flight.task is task:
            del self._flights[key]

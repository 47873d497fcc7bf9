"""One piece of work for many callers that want the same at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Flights(Generic[T]):
    """Work in flight by key, within one event loop."""

    def __init__(self) -> None:
        self._tasks: dict[Hashable, asyncio.Task[T]] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    async def run(self, key: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        """Starts ``work``, or joins the one under way for the same key.

        The work goes on when a caller is cancelled (its client left): the others, and the cache,
        still want the result. All callers get the same result or the same exception.
        """
        task = self._tasks.get(key)
        if task is None:
            task = asyncio.create_task(self._finish(work))
            self._tasks[key] = task
            task.add_done_callback(lambda _: self._tasks.pop(key, None))
            # Retrieved here, so that a failure nobody waits for any more is not reported twice.
            task.add_done_callback(lambda t: t.cancelled() or t.exception())
        return await asyncio.shield(task)

    @staticmethod
    async def _finish(work: Callable[[], Awaitable[T]]) -> T:
        return await work()

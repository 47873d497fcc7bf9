"""Something done every so often in the background, ended without cancelling it.

Cancelling would not do: Python 3.11's ``asyncio.wait_for``, which redis-py sends with, swallows a
cancellation that arrives just as the command is done, and the loop would go on for ever.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable


@contextlib.asynccontextmanager
async def every(seconds: float, action: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Awaits ``action`` every ``seconds`` until the block is left, and then for its last run.

    Args:
        seconds: from the end of one run to the start of the next.
        action: must neither raise nor hang.
    """
    leaving = asyncio.Event()

    async def repeat() -> None:
        while not leaving.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await leaving.wait()
            if not leaving.is_set():
                await action()

    task = asyncio.create_task(repeat())
    try:
        yield
    finally:
        leaving.set()
        await task

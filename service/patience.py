"""How long a request may take: until its deadline, or until its client leaves."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Mapping

from starlette.types import Receive

from service.errors import ClientLeftError, DeadlineError, UnprocessableError

HEADER = "X-Request-Timeout-Ms"

_SOON_S = 0.01
_WHOLE = re.compile(r"[0-9]{1,8}")

LONGEST_MS = 86_400_000


def seconds_of(headers: Mapping[str, str], longest_s: float) -> float:
    """The shorter of what the client asks for and what the service allows, in seconds.

    Read by hand: what endpoints declare to FastAPI is paid for with every request.

    Raises:
        UnprocessableError: the header is not a whole number of milliseconds.
    """
    text = headers.get(HEADER)
    if text is None:
        return longest_s
    if not _WHOLE.fullmatch(text) or not 1 <= int(text) <= LONGEST_MS:
        raise UnprocessableError(
            f"{HEADER} is whole milliseconds from 1 to {LONGEST_MS}, found {text[:20]!r}"
        )
    return min(longest_s, int(text) / 1e3)


@contextlib.asynccontextmanager
async def patience(receive: Receive, seconds: float) -> AsyncIterator[float]:
    """Cancels the block when its time is over or the client has left.

    Args:
        receive: the request's channel, its body already read: all that may still come is that the
            client leaves.
        seconds: from now on.

    Yields:
        The deadline in seconds of the event loop's clock.

    Raises:
        DeadlineError: the time was over.
        ClientLeftError: the client left.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    left = False
    try:
        async with asyncio.timeout_at(deadline) as limit:

            async def watch() -> None:
                nonlocal left
                while (await receive())["type"] != "http.disconnect":
                    pass
                left = True
                # One way to end the block, not two that could get into each other's way.
                limit.reschedule(0.0)

            watchers: list[asyncio.Task[None]] = []
            # Most answers are there before it would be worth a task to ask whether anybody waits.
            late = loop.call_later(_SOON_S, lambda: watchers.append(loop.create_task(watch())))
            try:
                yield deadline
            finally:
                late.cancel()
                for watcher in watchers:
                    watcher.cancel()
        # A library that is interrupted may take that for a timeout of its own, and go on.
        if limit.expired():
            raise TimeoutError
    except TimeoutError as error:
        if left:
            raise ClientLeftError from error
        if limit.expired():
            raise DeadlineError(f"the request took longer than its {seconds:g} s") from error
        raise

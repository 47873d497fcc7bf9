"""How long a request may take: until its deadline, or until its client leaves."""

import asyncio
import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from starlette.types import Receive

from service.errors import ClientLeftError, DeadlineError, ServiceError, UnprocessableError

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


@dataclass(frozen=True)
class Allowed:
    """The time that a request may take, in seconds of the event loop's clock."""

    since: float
    """When its body had been read."""
    until: float
    """Its deadline."""


class Patience:
    """An asynchronous context that cancels its block when time is over or the client has left.

    As ``asyncio.timeout``, for two reasons; and nothing but a timer is begun for a block that ends
    soon, as most do.
    """

    def __init__(self, receive: Receive, seconds: float) -> None:
        """Nothing is watched before the block begins.

        Args:
            receive: the request's channel, its body already read: all that may still come is that
                the client leaves.
            seconds: from the beginning of the block on.
        """
        self._receive = receive
        self._seconds = seconds
        self._reason: DeadlineError | ClientLeftError | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._watcher: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Allowed:
        """Begins."""
        self._task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._cancelling = self._task.cancelling()
        loop = asyncio.get_running_loop()
        since = loop.time()
        deadline = since + self._seconds
        if self._seconds > _SOON_S:
            self._timers = [loop.call_later(_SOON_S, self._look_after, loop, deadline)]
        else:
            self._look_after(loop, deadline)
        return Allowed(since, deadline)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        """Ends.

        Raises:
            DeadlineError: the time was over.
            ClientLeftError: the client left.
        """
        for timer in self._timers:
            timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
        if self._reason is None:
            return
        cancelled_by_others = self._task.uncancel() > self._cancelling
        # A library that is interrupted may take that for a timeout of its own, or go on.
        ended_by_this = kind is None or issubclass(kind, (asyncio.CancelledError, TimeoutError))
        if ended_by_this and not cancelled_by_others:
            raise self._reason from error

    def _look_after(self, loop: asyncio.AbstractEventLoop, deadline: float) -> None:
        late = DeadlineError(f"the request took longer than its {self._seconds:g} s")
        self._timers.append(loop.call_at(deadline, self._end, late))
        self._watcher = loop.create_task(self._watch())

    async def _watch(self) -> None:
        # A body that nobody asked for may be too large or too slow: then no more is looked at.
        with contextlib.suppress(ServiceError):
            while (await self._receive())["type"] != "http.disconnect":
                pass
            self._end(ClientLeftError())

    def _end(self, reason: DeadlineError | ClientLeftError) -> None:
        if self._reason is None:
            self._reason = reason
            self._task.cancel()

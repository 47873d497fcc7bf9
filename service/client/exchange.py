"""Requests and their repetitions without any input or output: generators that say what to do.

An operation yields what it wants, :class:`Send` or :class:`Pause`, and is sent a :class:`Reply` for
the first. What carries that out may block or be asynchronous; the logic is here, once.
"""

import math
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias, TypeVar

from service.client.errors import DeadlineError, OverloadedError, UnavailableError, problem_of

T = TypeVar("T")

TIMEOUT_HEADER = "X-Request-Timeout-Ms"

Clock: TypeAlias = Callable[[], float]
"""Seconds that never go back."""


@dataclass(frozen=True)
class Send:
    """A request to be sent."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""
    timeout_s: float = math.inf


@dataclass(frozen=True)
class Pause:
    """A time to wait before going on."""

    seconds: float


@dataclass(frozen=True)
class Reply:
    """A response."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name."""
    content: bytes


Operation: TypeAlias = Generator[Send | Pause, Reply | None, T]


def exchange(request: Send, deadline: float, now: Clock) -> Operation[Reply]:
    """Sends a request until it succeeds, fails for good, or its time is over.

    Repeated is only what was refused with 429 or 503 and a ``Retry-After`` that ends before the
    deadline: then nothing has been done yet.

    Args:
        request: what to send; the service is told how much time is left.
        deadline: on the clock.
        now: the clock.

    Raises:
        ProblemError: the service says no.
    """
    while True:
        left = deadline - now()
        if left <= 0:
            raise DeadlineError(504, "the time for this request is over")
        told = {TIMEOUT_HEADER: str(max(1, math.ceil(1e3 * left)))}
        reply = yield replace(request, headers={**request.headers, **told}, timeout_s=left)
        if reply is None:
            raise RuntimeError("a Send is to be answered with a Reply")
        if reply.status < 300:
            return reply
        error = problem_of(reply.status, reply.headers, reply.content)
        if not isinstance(error, OverloadedError | UnavailableError):
            raise error
        wait = error.retry_after_s
        if wait is None or now() + wait >= deadline:
            raise error
        yield Pause(wait)

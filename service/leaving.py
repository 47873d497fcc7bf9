"""Leaving without a failed request: not ready at once, then refusing, then gone.

1. SIGTERM: ``/readyz`` says 503, so that load balancers send nothing more. What comes nevertheless
   is answered, and its connection closed, for ``drain_s`` seconds.
2. For a moment new requests are refused with 503: a client that does not watch ``/readyz`` turns
   elsewhere, instead of being caught by a listener that closes on it.
3. The server stops listening, finishes what is under way, and ends.
"""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import UnavailableError, answer
from service.runtime import Runtime

REFUSING_S = 0.5

# Those who run the service want to know until the end.
ALWAYS = frozenset(
    {"/livez", "/readyz", "/healthz", "/metrics", "/v2/health/live", "/v2/health/ready"}
)
"""Paths that are answered whatever the state of the service."""


@contextlib.contextmanager
def on_sigterm(runtime: Runtime, drain_s: float) -> Iterator[None]:
    """Puts the steps above before whatever the server does on SIGTERM.

    A second SIGTERM goes to the server at once. Does nothing outside a server's main thread.

    Args:
        runtime: told when to drain and when to refuse.
        drain_s: seconds of the first step.
    """
    inner = signal.getsignal(signal.SIGTERM)
    if not callable(inner) or threading.current_thread() is not threading.main_thread():
        yield
        return
    server = inner
    loop = asyncio.get_running_loop()

    def leave(sig: int, frame: FrameType | None) -> None:
        if runtime.draining:
            server(sig, frame)
        else:
            runtime.draining = True
            loop.call_soon_threadsafe(loop.call_later, drain_s, refuse)

    def refuse() -> None:
        runtime.refusing = True
        loop.call_later(REFUSING_S, server, signal.SIGTERM, None)

    signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, inner)


class Leaving:
    """ASGI middleware: while the service leaves, answers close their connections."""

    def __init__(self, app: ASGIApp, runtime: Callable[[], Runtime | None]) -> None:
        self._app = app
        self._runtime = runtime

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        runtime = self._runtime()
        if scope["type"] != "http" or runtime is None:
            await self._app(scope, receive, send)
            return

        async def closing(message: Message) -> None:
            # Asked now and not before: the request may have come before the signal did.
            if message["type"] == "http.response.start" and runtime.draining:
                headers = [*message.get("headers", ()), (b"connection", b"close")]
                message = {**message, "headers": headers}
            await send(message)

        if runtime.refusing and scope["path"] not in ALWAYS:
            refusal = UnavailableError("the service is shutting down; another replica may answer")
            await answer(refusal)(scope, receive, closing)
        else:
            await self._app(scope, receive, closing)

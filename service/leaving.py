"""Leaving without a failed request: not ready at once, then refusing, then gone.

1. SIGTERM: ``/readyz`` says 503, so that load balancers send nothing more. What comes nevertheless
   is answered, and its connection closed, for ``drain_s`` seconds.
2. For a moment new requests are refused with 503: a client that does not watch ``/readyz`` turns
   elsewhere, instead of being caught by a listener that closes on it.
3. The server stops listening, finishes what is under way, and ends.

A worker whose successor listens on the same socket retires instead: it takes no more connections,
answers on those that it has, and ends when they are gone, or after ``drain_s`` seconds. The service
stays ready.
"""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

import uvicorn
from starlette.types import Scope

from service.errors import UnavailableError
from service.runtime import Runtime

REFUSING_S = 0.5

_LOOKS_S = 0.1

RETIRE = signal.SIGUSR1
"""Tells a worker that its successor is there."""

# Those who run the service want to know until the end.
ALWAYS = frozenset(
    {"/livez", "/readyz", "/healthz", "/metrics", "/v2/health/live", "/v2/health/ready"}
)
"""Paths that are answered whatever the state of the service."""

CLOSE = (b"connection", b"close")
"""Told to a client whose connection is closed after the answer."""


@contextlib.contextmanager
def on_signals(runtime: Runtime, drain_s: float) -> Iterator[None]:
    """Puts the steps above before what uvicorn does on SIGTERM.

    A second SIGTERM goes to uvicorn at once. Does nothing outside its main thread.

    Args:
        runtime: told when to drain and when to refuse.
        drain_s: seconds of the first step.
    """
    inner = signal.getsignal(signal.SIGTERM)
    server = getattr(inner, "__self__", None)  # uvicorn's handler is a method of its server
    if (
        not isinstance(server, uvicorn.Server)
        or threading.current_thread() is not threading.main_thread()
    ):
        yield
        return
    loop = asyncio.get_running_loop()

    def leave(sig: int, frame: FrameType | None) -> None:
        if runtime.draining:
            server.handle_exit(sig, frame)
        else:
            runtime.draining = True
            loop.call_soon_threadsafe(loop.call_later, drain_s, refuse)

    def refuse() -> None:
        runtime.refusing = True
        loop.call_later(REFUSING_S, end)

    def retire(_: int, __: FrameType | None) -> None:
        runtime.retiring = True
        loop.call_soon_threadsafe(stop_listening)

    def stop_listening() -> None:
        for listener in server.servers:
            listener.close()
        # Not at once: a connection that was accepted may not be counted yet.
        loop.call_later(_LOOKS_S, end_alone, loop.time() + drain_s)

    def end_alone(latest: float) -> None:
        # Idle connections are what takes time: each ends with its next answer. To close one sooner
        # would race with its next request.
        if server.server_state.connections and loop.time() < latest:
            loop.call_later(_LOOKS_S, end_alone, latest)
        else:
            end()

    def end() -> None:
        server.handle_exit(signal.SIGTERM, None)

    before = {s: signal.signal(s, h) for s, h in ((signal.SIGTERM, leave), (RETIRE, retire))}
    try:
        yield
    finally:
        for sig, handler in before.items():
            signal.signal(sig, handler)


def closes(runtime: Runtime) -> bool:
    """Whether answers close their connections, since the service or this worker of it leaves."""
    return runtime.draining or runtime.retiring


def shuts_out(runtime: Runtime | None, scope: Scope) -> UnavailableError | None:
    """Why a request is not let in: the service is about to end."""
    if runtime is None or not runtime.refusing or scope["path"] in ALWAYS:
        return None
    return UnavailableError("the service is shutting down; another replica may answer")

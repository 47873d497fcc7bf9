"""Connections: how many, and how long one may take to say what it wants.

uvicorn waits for ever for the head of a request, of whatever size, and for its answer to be read.
Its own limit of connections refuses health checks as well.
"""

import asyncio
import logging
import math
import socket
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from starlette.types import Scope
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from service import logs
from service.errors import (
    BadRequestError,
    CrowdedError,
    HeadTooLargeError,
    ServiceError,
    SlowError,
    answer,
)
from service.identity import RAW_ID, new_id
from service.leaving import ALWAYS
from service.security.headers import headers_of

log = logging.getLogger(__name__)

HEAD_BYTES = 1 << 14
"""Request line and headers together; and trailers, which come after a body in chunks."""

_CROWDED = "crowded"
_LINGER_S = 1.0


@dataclass(frozen=True)
class ConnectionLimits:
    """What connections are held to."""

    connections: int
    """The most; requests on further ones are refused."""
    patience_s: float
    """Seconds for a request's head to arrive, from when it is expected or begun; and for which a
    client may read nothing of an answer that waits for it."""


class Protocol(HttpToolsProtocol):
    """uvicorn's, with limits of connections and of a head; its refusals are problem documents."""

    def __init__(self, limits: ConnectionLimits, **given: Any) -> None:  # noqa: ANN401
        """One connection.

        Args:
            limits: of all.
            given: what uvicorn gives its own.
        """
        super().__init__(**given)
        self._limits = limits
        self._timer: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        """Since the last head, piece of a body, or end of a request."""
        self._body_comes = False
        self._refused = False
        self._answered: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """As uvicorn's."""
        super().connection_made(transport)
        self._watch_reading(transport)
        if len(self.connections) > self._limits.connections:
            self.app_state = {**self.app_state, _CROWDED: True}
        self._watch()

    def data_received(self, data: bytes) -> None:
        """As uvicorn's."""
        if self._refused:
            return
        self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes > HEAD_BYTES:
            what = "trailers" if self._body_comes else "request line and the headers"
            self._refuse(HeadTooLargeError(HEAD_BYTES, what))
        self._watch()

    def on_header(self, name: bytes, value: bytes) -> None:
        """As uvicorn's, which takes trailers for headers (RFC 9110, 6.5.1)."""
        if not self._body_comes:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """As uvicorn's."""
        super().on_headers_complete()
        self._body_comes = True
        self._head_bytes = 0

    def on_body(self, body: bytes) -> None:
        """As uvicorn's."""
        super().on_body(body)
        self._head_bytes = 0

    def on_message_complete(self) -> None:
        """As uvicorn's."""
        super().on_message_complete()
        self._body_comes = False
        self._head_bytes = 0

    def on_response_complete(self) -> None:
        """As uvicorn's."""
        super().on_response_complete()
        if self._body_comes:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """As uvicorn's."""
        self._unwatch()
        if isinstance(exc, TimeoutError):
            log.info("cut off", extra=logs.fields(reason="the client took nothing of its answer"))
        # uvicorn tells the request that came last: with pipelining not the one that is answered.
        if self._answered is not None:
            self._answered.disconnected = True
            self._answered.message_event.set()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """As uvicorn's, which is called for what is not HTTP, but says more."""
        self._refuse(BadRequestError("this is not HTTP/1.1 that can be read"))

    @property
    def _answers(self) -> bool:
        """Whether a request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """As uvicorn's."""
        self._answered = cycle
        super()._start_asgi_task(cycle, app)

    def _watch_reading(self, transport: asyncio.Transport) -> None:
        """Has the system end the connection of a client that does not read.

        An answer lies in buffers of uvicorn, of the event loop, of TLS and of the system, and is
        said to be sent before it is: only the system knows what the client has taken.
        """
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
            made: socket.socket = transport.get_extra_info("socket")
            limit_ms = math.ceil(1e3 * self._limits.patience_s)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, limit_ms)

    def _watch(self) -> None:
        """The clock runs from a connection or the first byte of a request to the end of its head.

        And where a request was answered before its body had come, while the rest of that does: a
        connection that is closed on it would often take the answer along.
        """
        if self._answers:
            self._unwatch()
        elif self._timer is None and not self.transport.is_closing():
            self._timer = self.loop.call_later(self._limits.patience_s, self._late)

    def _unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        if self._head_bytes and not self._body_comes:
            self._refuse(SlowError(f"no request had come after {self._limits.patience_s:g} s"))
        else:
            self.transport.close()

    def _refuse(self, error: ServiceError) -> None:
        """Answers for good, unless the answer has begun that this would be or fall into."""
        self._unwatch()
        self._head_bytes = 0
        begun = (self._answers or self._body_comes) and self.cycle.response_started
        if not begun:
            self.transport.write(_answered(error, self.scheme == "https"))
        if not self._answers and self.transport.can_write_eof():
            # To close on bytes that are still coming would take the answer away from the client.
            self.transport.write_eof()
            self._timer = self.loop.call_later(_LINGER_S, self.transport.close)
            self._refused = True
        else:
            self.transport.close()


def _answered(error: ServiceError, under_tls: bool) -> bytes:
    """An error as a whole HTTP response, after which the connection is closed."""
    facts = logs.Facts(new_id())
    with logs.about(facts):
        response = answer(error)
        log.info("refused", extra=logs.fields(status=error.status, reason=error.detail))
    headers = [
        *response.raw_headers,
        *headers_of(under_tls),
        (RAW_ID, facts.request_id.encode()),
        (b"connection", b"close"),
    ]
    first = f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}".encode()
    lines = [first, *(name + b": " + value for name, value in headers), b"", response.body]
    return b"\r\n".join(bytes(line) for line in lines)


def refusal_of(scope: Scope) -> ServiceError | None:
    """Why a request is not let in: it is on a connection too many, or its head is too large."""
    if scope.get("state", {}).get(_CROWDED) and scope["path"] not in ALWAYS:
        return CrowdedError("as many connections are open as may: try again in a moment")
    # A head that comes in pieces is counted on its way; one that comes at once is not.
    size = len(scope["raw_path"]) + len(scope["query_string"])
    size += sum(len(name) + len(value) for name, value in scope["headers"])
    return HeadTooLargeError(HEAD_BYTES) if size > HEAD_BYTES else None

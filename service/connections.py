"""Connections: how many, and how long one may take to say what it wants.

uvicorn waits for ever for the head of a request, and its own limit of connections refuses health
checks as well.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

import h11
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from service import logs
from service.errors import (
    BadRequestError,
    CrowdedError,
    HeadTooLargeError,
    ServiceError,
    SlowError,
    answer,
)
from service.leaving import ALWAYS
from service.middleware import ID_HEADER, new_id
from service.security.headers import headers_of

log = logging.getLogger(__name__)

HEAD_BYTES = 1 << 14
"""Request line and headers together."""

_CROWDED = "crowded"
_LINGER_S = 1.0


@dataclass(frozen=True)
class ConnectionLimits:
    """What connections are held to."""

    connections: int
    """The most; requests on further ones are refused."""
    head_s: float
    """Seconds for a request's head to arrive, from when it is expected or begun."""


class Protocol(H11Protocol):
    """uvicorn's, with a limit of connections and of a head's time; its refusals are problems."""

    def __init__(self, limits: ConnectionLimits, **given: Any) -> None:  # noqa: ANN401
        """One connection.

        Args:
            limits: of all.
            given: what uvicorn gives its own.
        """
        super().__init__(**given)
        self._limits = limits
        self._timer: asyncio.TimerHandle | None = None
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """As uvicorn's."""
        super().connection_made(transport)
        if len(self.connections) > self._limits.connections:
            self.app_state = {**self.app_state, _CROWDED: True}
        self._watch()

    def data_received(self, data: bytes) -> None:
        """As uvicorn's."""
        if not self._refused:
            super().data_received(data)
            self._watch()

    def on_response_complete(self) -> None:
        """As uvicorn's."""
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """As uvicorn's."""
        self._unwatch()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """As uvicorn's, which is called for what is not HTTP, but says more."""
        if len(self.conn.trailing_data[0]) > HEAD_BYTES:
            self._refuse(HeadTooLargeError(HEAD_BYTES))
        else:
            self._refuse(BadRequestError("this is not HTTP/1.1 that can be read"))

    def _watch(self) -> None:
        """The clock runs from a connection or the first byte of a request to the end of its head.

        And where a request was answered before its body had come, while the rest of that does: a
        connection that is closed on it would often take the answer along.
        """
        if self.cycle is not None and not self.cycle.response_complete:
            self._unwatch()
        elif self._timer is None and not self.transport.is_closing():
            self._timer = self.loop.call_later(self._limits.head_s, self._late)

    def _unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        self._timer = None
        if self.conn.trailing_data[0] and self.conn.our_state is h11.IDLE:
            self._refuse(SlowError(f"no request had come after {self._limits.head_s:g} s"))
        else:
            self.transport.close()

    def _refuse(self, error: ServiceError) -> None:
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._refused = True
            facts = logs.Facts(new_id())
            with logs.about(facts):
                response = answer(error)
                log.info("refused", extra=logs.fields(status=error.status, reason=error.detail))
            headers = [
                *response.raw_headers,
                *headers_of(self.scheme == "https"),
                (ID_HEADER.lower().encode(), facts.request_id.encode()),
                (b"connection", b"close"),
            ]
            for event in (
                h11.Response(status_code=error.status, headers=headers),
                h11.Data(data=bytes(response.body)),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self._unwatch()
        if self._refused and self.transport.can_write_eof():
            # To close on bytes that are still coming would take the answer away from the client.
            self.transport.write_eof()
            self._timer = self.loop.call_later(_LINGER_S, self.transport.close)
        else:
            self.transport.close()


class Doors:
    """ASGI middleware: refuses requests on a connection too many, and heads that are too large."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http" and (refusal := _refusal(scope)):
            await answer(refusal)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _refusal(scope: Scope) -> ServiceError | None:
    if scope.get("state", {}).get(_CROWDED) and scope["path"] not in ALWAYS:
        return CrowdedError("as many connections are open as may: try again in a moment")
    # The server counts while a head comes in pieces; one that comes at once it does not.
    size = len(scope["raw_path"]) + len(scope["query_string"])
    size += sum(len(name) + len(value) for name, value in scope["headers"])
    return HeadTooLargeError(HEAD_BYTES) if size > HEAD_BYTES else None

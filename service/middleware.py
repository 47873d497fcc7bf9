"""ASGI middleware: every request has an id, is answered, measured and logged."""

import logging
import re
import secrets
import time

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import logs
from service.errors import answer
from service.metrics import Metrics

log = logging.getLogger(__name__)

ID_HEADER = "X-Request-ID"
_RAW_ID = ID_HEADER.lower().encode()

_WELL_FORMED = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Identified:
    """Gives a request the id that its client sent, if that is well formed, or a new one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(ID_HEADER, "")
        facts = logs.Facts(given if _WELL_FORMED.fullmatch(given) else new_id())

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), (_RAW_ID, facts.request_id.encode())]
                message = {**message, "headers": headers}
            await send(message)

        with logs.about(facts):
            await self._app(scope, receive, told)


def new_id() -> str:
    """Of a request that brings none."""
    return secrets.token_hex(16)


class Measured:
    """Counts, times and logs requests, by route template and status; answers what nobody caught."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status: int | None = None
        start = time.perf_counter()

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with self._metrics.in_flight.track_inprogress():
            try:
                await self._app(scope, receive, watch)
            except Exception as error:
                if status is not None:  # all that the server can do is to close the connection
                    raise
                await answer(error)(scope, receive, watch)
            finally:
                self._tell(scope, status or 500, time.perf_counter() - start)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        # Templates, not paths: a path is the client's choice, and labels must be few.
        route = getattr(scope.get("route"), "path", "(none)")
        method = scope["method"] if scope["method"] in _METHODS else "(other)"
        labels = (method, route, str(status))
        self._metrics.requests.labels(*labels).inc()
        self._metrics.request_seconds.labels(*labels).observe(seconds)
        facts = logs.current()
        if facts is not None and facts.key is not None:
            self._metrics.count_key(facts.key)
        log.info(
            "request",
            extra=logs.fields(
                method=method,
                route=route,
                status=status,
                duration_ms=round(1e3 * seconds, 3),
                client=scope["client"][0] if scope.get("client") else None,
                **({} if facts is None else vars(facts)),
            ),
        )

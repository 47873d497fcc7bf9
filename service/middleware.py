"""ASGI middleware: measure every request, and stop reading bodies that are too large."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import TooLargeError, answer
from service.metrics import Metrics


class Measured:
    """Counts and times requests by route template and status."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = "500"
        start = time.perf_counter()

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        with self._metrics.in_flight.track_inprogress():
            try:
                await self._app(scope, receive, watch)
            finally:
                # Templates, not paths: a path is the client's choice, and labels must be few.
                route = getattr(scope.get("route"), "path", "(none)")
                method = scope["method"] if scope["method"] in _METHODS else "(other)"
                labels = (method, route, status)
                self._metrics.requests.labels(*labels).inc()
                self._metrics.request_seconds.labels(*labels).observe(time.perf_counter() - start)


_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class BodyLimit:
    """Refuses a body with 413 as soon as it is known to be too large.

    At the header where there is a Content-Length, else (chunked encoding) while it streams.
    """

    def __init__(self, app: ASGIApp, limit_bytes: int) -> None:
        self._app = app
        self._limit = limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = TooLargeError(
            f"the body is larger than {self._limit} bytes, the most that is taken here",
            max_body_bytes=self._limit,
        )
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared[:20]) > self._limit:
            await answer(refusal)(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._limit:
                raise refusal
            return message

        await self._app(scope, counted, send)

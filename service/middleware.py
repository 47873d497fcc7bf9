"""ASGI middleware around everything: ids, refusals at the door, headers, metrics, the log.

It is one, where it could be five: every layer costs a coroutine for each request and another one
for each message of its answer, and together they took as long as a short prediction's HTTP.
"""

import logging
import time
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import logs
from service.connections import refusal_of
from service.errors import answer
from service.head import as_get
from service.identity import RAW_ID, id_of
from service.leaving import CLOSE, closes, shuts_out
from service.metrics import Metrics
from service.runtime import Runtime
from service.security.headers import completed

log = logging.getLogger(__name__)

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Front:
    """Every request has an id, is let in or refused, is answered, measured and logged.

    Requests are counted by route template and status. What nobody caught is answered here.
    """

    def __init__(
        self, app: ASGIApp, metrics: Metrics, runtime: Callable[[], Runtime | None]
    ) -> None:
        """Around an app.

        Args:
            app: that.
            metrics: told of every request.
            runtime: of the app, while it runs; it says whether the service leaves.
        """
        self._app = app
        self._metrics = metrics
        self._runtime = runtime

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method, scope = scope["method"], as_get(scope)
        facts = logs.Facts(id_of(scope))
        runtime = self._runtime()
        status: int | None = None
        start = time.perf_counter()

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = completed(message.get("headers", ()), scope["scheme"] == "https")
                headers.append((RAW_ID, facts.request_id.encode()))
                # Asked now and not before: the request may have come before the signal did.
                if runtime is not None and closes(runtime):
                    headers.append(CLOSE)
                message = {**message, "headers": headers}
            await send(message)

        self._metrics.inside += 1
        with logs.about(facts):
            refusal = shuts_out(runtime, scope) or refusal_of(scope)
            app = self._app if refusal is None else answer(refusal)
            try:
                await app(scope, receive, told)
            except Exception as error:
                if status is not None:  # all that the server can do is to close the connection
                    raise
                await answer(error)(scope, receive, told)
            finally:
                self._metrics.inside -= 1
                self._tell(method, scope, facts, status or 500, time.perf_counter() - start)

    def _tell(
        self, method: str, scope: Scope, facts: logs.Facts, status: int, seconds: float
    ) -> None:
        # Templates, not paths: a path is the client's choice, and labels must be few.
        route = getattr(scope.get("route"), "path", "(none)")
        method = method if method in _METHODS else "(other)"
        self._metrics.count_request(method, route, status, seconds)
        if facts.key is not None:
            self._metrics.count_key(facts.key)
        if log.isEnabledFor(logging.INFO):
            log.info(
                "request",
                extra=logs.fields(
                    method=method,
                    route=route,
                    status=status,
                    duration_ms=round(1e3 * seconds, 3),
                    client=scope["client"][0] if scope.get("client") else None,
                    **vars(facts),
                ),
            )

"""What browsers are told with every answer.

The policies of content stand here. A route that answers with a page sets its own
``Content-Security-Policy`` (:func:`page_policy`), and any other of these headers likewise: what a
route has set is left as it is.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from typing import TypeAlias

from starlette.types import ASGIApp, Message, Receive, Scope, Send

RawHeaders: TypeAlias = Sequence[tuple[bytes, bytes]]

POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""Of answers that are no pages: nothing may be loaded or run, should a browser show one."""

_ALWAYS: RawHeaders = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_UNDER_TLS: RawHeaders = (*_ALWAYS, (b"strict-transport-security", b"max-age=31536000"))

# Answers are for those who asked. What has an ETag may be kept by them, and is asked for again.
_NOT_KEPT = (b"cache-control", b"no-store")
_CHECKED = (b"cache-control", b"private, no-cache")

_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


def page_policy(html: bytes) -> str:
    """The policy of a page that loads from this service only, and runs what stands in it.

    Args:
        html: the page; its inline scripts are named by their digests. Inline styles are allowed.
    """
    digests = [base64.b64encode(hashlib.sha256(s).digest()).decode() for s in _SCRIPT.findall(html)]
    scripts = " ".join(["'self'", *(f"'sha256-{digest}'" for digest in digests)])
    return (
        f"default-src 'self'; script-src {scripts}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; object-src 'none'; frame-ancestors 'none'; "
        "base-uri 'none'; form-action 'none'"
    )


def headers_of(under_tls: bool) -> RawHeaders:
    """Those of an answer that has none of its own."""
    return (*(_UNDER_TLS if under_tls else _ALWAYS), _NOT_KEPT)


class Guarded:
    """ASGI middleware: adds the headers that an answer does not have yet."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        added = _UNDER_TLS if scope["scheme"] == "https" else _ALWAYS

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = message.get("headers", ())
                names = {name for name, _ in own}
                kept = _CHECKED if b"etag" in names else _NOT_KEPT
                more = [header for header in (*added, kept) if header[0] not in names]
                message = {**message, "headers": [*own, *more]}
            await send(message)

        await self._app(scope, receive, guarded)

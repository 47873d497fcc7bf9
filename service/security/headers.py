"""What browsers are told with every answer.

The policies of content stand here. A route that answers with a page sets its own
``Content-Security-Policy`` (:func:`page_policy`), and any other of these headers likewise: what a
route has set is left as it is.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import TypeAlias

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


def completed(own: Iterable[tuple[bytes, bytes]], under_tls: bool) -> list[tuple[bytes, bytes]]:
    """An answer's headers, with those added that it does not have yet."""
    headers = list(own)
    names = {name for name, _ in headers}
    headers += [h for h in (_UNDER_TLS if under_tls else _ALWAYS) if h[0] not in names]
    if _NOT_KEPT[0] not in names:
        headers.append(_CHECKED if b"etag" in names else _NOT_KEPT)
    return headers

"""HEAD: what GET would answer, without its body (RFC 9110, 9.3.2). Routes are written for GET."""

from starlette.types import Scope

_BARE = "slimdial.bare"


def as_get(scope: Scope) -> Scope:
    """A request as routes see it. uvicorn still knows that it is a HEAD, and sends no body."""
    return {**scope, "method": "GET", _BARE: True} if scope["method"] == "HEAD" else scope


def is_bare(scope: Scope) -> bool:
    """Whether a GET was a HEAD, for routes whose body is dear."""
    return _BARE in scope


def allowing_head(allow: str) -> str:
    """The header ``Allow``, with HEAD wherever there is GET."""
    methods = set(allow.split(", "))
    return ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))

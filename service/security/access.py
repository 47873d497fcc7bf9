"""Which scope a route needs, and whether a request's API key has it."""

from typing import Any, Final

from fastapi import Request, Security
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.datastructures import Headers

from service import logs
from service.errors import ForbiddenError, UnauthorizedError
from service.metrics import Metrics
from service.security.keyring import Keyring
from service.security.keys import Scope

HEADER: Final = "X-API-Key"
SCHEME: Final = "key"

_REALM: Final = 'Bearer realm="slimdial"'


class Access:
    """Who is let in to a service; everybody where it has no keys."""

    def __init__(self, keyring: Keyring | None, metrics: Metrics) -> None:
        self.keyring = keyring
        self._refused = metrics.refused

    def check(self, headers: Headers, scope: Scope) -> None:
        """Lets a request pass, or raises.

        Raises:
            UnauthorizedError: it has no key, or an unknown one.
            ForbiddenError: its key does not have the scope.
        """
        if self.keyring is None:
            return
        presented = _presented(headers)
        if presented is None:
            self._refused.labels("missing").inc()
            raise UnauthorizedError(
                f"a key is needed: send Authorization: Bearer KEY, or {HEADER}: KEY", _REALM
            )
        key = self.keyring.find(presented)
        if key is None:
            self._refused.labels("unknown").inc()
            raise UnauthorizedError(
                "the key is not known here; it may have been revoked",
                f'{_REALM}, error="invalid_token"',
            )
        logs.note(key=key.name)
        if scope not in key.scopes:
            self._refused.labels("scope").inc()
            raise ForbiddenError(
                f"the key {key.name!r} does not have the scope {scope!r}; it has "
                f"{', '.join(key.scopes)}",
                f'{_REALM}, error="insufficient_scope", scope="{scope}"',
                missing_scope=scope,
            )


class _Needs(SecurityBase):
    """What a route depends on that needs a scope; OpenAPI describes it by the members."""

    def __init__(self, scope: Scope) -> None:
        self.model = HTTPBearer(description=f"An API key; the header {HEADER} takes it as well.")
        self.scheme_name = SCHEME
        self._scope = scope

    async def __call__(self, request: Request) -> None:
        access: Access = request.app.state.access
        access.check(request.headers, self._scope)


def needs(scope: Scope) -> Any:  # noqa: ANN401
    """For the ``dependencies`` of a route or router."""
    return Security(_Needs(scope), scopes=[scope])


def _presented(headers: Headers) -> str | None:
    # First, since the other header may hold what a proxy before the service wants to know.
    if key := headers.get(HEADER):
        return key
    kind, _, credentials = headers.get("authorization", "").partition(" ")
    return (credentials.strip() or None) if kind.lower() == "bearer" else None

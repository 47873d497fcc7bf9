"""Routes that are asked often: FastAPI documents them, and steps aside when they are called."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import NamedTuple

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

Handler = Callable[[Request], Awaitable[Response]]


class Direct(APIRoute):
    """A route whose endpoint takes the request and returns the response.

    FastAPI finds out for every request what the endpoint's parameters are; here there is nothing to
    be found out. The route's dependencies are called with the request, too.
    """

    def get_route_handler(self) -> Handler:  # type: ignore[override]
        """What is called with a request."""
        endpoint: Handler = self.endpoint
        first: list[Callable[[Request], Awaitable[None]]] = [
            d.dependency for d in self.dependencies if d.dependency is not None
        ]

        async def handle(request: Request) -> Response:
            for dependency in first:
                await dependency(request)
            return await endpoint(request)

        return handle


class _Found(NamedTuple):
    route: Direct
    handle: Handler


class Shortcuts:
    """ASGI middleware, the innermost: leads to direct routes without a search among all.

    What comes out is what comes the long way. That is ten calls within calls, which take as long as
    all else that HTTP takes.
    """

    def __init__(self, app: ASGIApp, routers: Iterable[APIRouter]) -> None:
        """Around an app.

        Args:
            app: that; it has the same routes.
            routers: whose direct routes without parameters in their paths are led to.
        """
        self._app = app
        self._found: Mapping[tuple[str, str], _Found] = {
            (method, route.path): _Found(route, route.get_route_handler())
            for router in routers
            for route in router.routes
            if isinstance(route, Direct) and not route.param_convertors
            for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        found = None
        if scope["type"] == "http":
            found = self._found.get((scope["method"], scope["path"]))
        if found is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = found.route  # the name of what was asked, for metrics and logs
        response = await found.handle(Request(scope, receive, send))
        await response(scope, receive, send)

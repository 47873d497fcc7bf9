"""Routes that are asked often: FastAPI documents them, and steps aside when they are called."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response

Handler = Callable[[Request], Any]


class Direct(APIRoute):
    """A route whose endpoint takes the request and returns the response.

    FastAPI finds out for every request what the endpoint's parameters are; here there is nothing to
    be found out. The route's dependencies are called with the request, too.
    """

    def get_route_handler(self) -> Handler:
        """What is called with a request."""
        endpoint: Callable[[Request], Awaitable[Response]] = self.endpoint
        first: list[Callable[[Request], Awaitable[None]]] = [
            d.dependency for d in self.dependencies if d.dependency is not None
        ]

        async def handle(request: Request) -> Response:
            for dependency in first:
                await dependency(request)
            return await endpoint(request)

        return handle

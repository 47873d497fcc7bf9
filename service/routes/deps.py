"""What endpoints depend on."""

from typing import Annotated

from fastapi import Depends, Request

from service.errors import UnavailableError
from service.runtime import Runtime


def runtime_of(request: Request) -> Runtime:
    """What the service works with.

    Raises:
        UnavailableError: it is starting or stopping.
    """
    runtime: Runtime | None = getattr(request.app.state, "runtime", None)
    if runtime is None:
        raise UnavailableError("the service is starting or stopping; try again in a moment")
    return runtime


async def _runtime(request: Request) -> Runtime:
    return runtime_of(request)


RuntimeDep = Annotated[Runtime, Depends(_runtime)]

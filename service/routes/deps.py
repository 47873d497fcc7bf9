"""What endpoints depend on."""

from typing import Annotated

from fastapi import Depends, Request

from service.errors import UnavailableError
from service.runtime import Runtime


async def _runtime(request: Request) -> Runtime:
    runtime: Runtime | None = getattr(request.app.state, "runtime", None)
    if runtime is None:
        raise UnavailableError("the service is starting or stopping; try again in a moment")
    return runtime


RuntimeDep = Annotated[Runtime, Depends(_runtime)]

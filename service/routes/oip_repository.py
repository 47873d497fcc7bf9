"""``/v2/repository``: what is there, and getting it ready or out of memory."""

from typing import TypeVar

from fastapi import APIRouter, Request
from pydantic import BaseModel

from service.bodies import parse_json, refuse_compressed
from service.errors import BadRequestError, InvalidFieldsError, TooLargeError
from service.oip.schemas import IndexBody, IndexEntry, LoadBody, Loaded, UnloadBody
from service.openapi import json_body, problems, timeout_header
from service.patience import Patience, seconds_of
from service.routes.deps import RuntimeDep
from service.security.access import needs

router = APIRouter(prefix="/v2/repository", tags=["open inference protocol"])

_MOST_BYTES = 1 << 16

Model = TypeVar("Model", bound=BaseModel)


@router.post(
    "/index",
    summary="What there is",
    dependencies=[needs("predict")],
    openapi_extra=json_body(IndexBody, required=False),
    responses=problems(400, 413, 415, 503),
)
async def index(request: Request, runtime: RuntimeDep) -> list[IndexEntry]:
    """Models, and the versions that the process that answers holds ready."""
    asked = await _read(request, IndexBody)
    return runtime.oip.repository.index(asked.ready)


@router.post(
    "/models/{name}/load",
    summary="Get a version ready",
    dependencies=[needs("subnet")],
    openapi_extra=json_body(LoadBody, required=False) | timeout_header(),
    responses=problems(400, 404, 413, 415, 422, 429, 503, 504),
)
async def load(name: str, request: Request, runtime: RuntimeDep) -> Loaded:
    """That of the dial in `parameters`, or the full network. It need not be loaded to be used."""
    seconds = seconds_of(request.headers, runtime.settings.request_timeout_s)
    asked = await _read(request, LoadBody)
    async with Patience(request.receive, seconds):
        return await runtime.oip.repository.load(name, asked.parameters)


@router.post(
    "/models/{name}/unload",
    summary="Free memory",
    dependencies=[needs("subnet")],
    openapi_extra=json_body(UnloadBody, required=False),
    responses=problems(400, 404, 413, 415, 503),
)
async def unload(name: str, request: Request, runtime: RuntimeDep) -> dict[str, str]:
    """Of the version in `parameters`; or of all, and then the model is not ready until a load."""
    asked = await _read(request, UnloadBody)
    await runtime.oip.repository.unload(name, asked.parameters.version)
    return {"name": name}


async def _read(request: Request, model: type[Model]) -> Model:
    """A small JSON body that may be left out, whatever its type is said to be: clients differ."""
    refuse_compressed(request)
    body = await request.body()
    if len(body) > _MOST_BYTES:
        raise TooLargeError(f"the body is larger than {_MOST_BYTES} bytes")
    try:
        return parse_json(body or b"{}", model)
    except InvalidFieldsError as error:
        raise BadRequestError(error.detail, **error.extra) from error

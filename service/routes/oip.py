"""``/v2``: the Open Inference Protocol as KServe and Triton speak it."""

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from service.bodies import refuse_compressed
from service.errors import UnavailableError
from service.oip import describe
from service.oip.dials import seconds as seconds_asked
from service.oip.reading import HEADER, json_length, read
from service.oip.schemas import (
    InferAnswer,
    Live,
    ModelConfig,
    ModelMetadata,
    ModelReady,
    ModelStats,
    Ready,
    ServerMetadata,
)
from service.oip.statistics import unused
from service.openapi import problems, tensor_body
from service.patience import Patience, seconds_of
from service.routes.deps import RuntimeDep
from service.security.access import needs

_TAG = "open inference protocol"

router = APIRouter(prefix="/v2", tags=[_TAG], dependencies=[needs("predict")])
health = APIRouter(prefix="/v2/health", tags=[_TAG])
"""Orchestrators have no keys."""

_EXTENSIONS = ("binary_tensor_data", "statistics", "model_configuration", "model_repository")
# Larger JSON is parsed where it holds nobody up.
_SMALL_BYTES = 1 << 16


@router.get("", summary="What serves")
async def server(request: Request) -> ServerMetadata:
    """Name, version, and the extensions of the protocol that there are."""
    return ServerMetadata(name="slimdial", version=request.app.version, extensions=_EXTENSIONS)


@health.get("/live", summary="Is the process alive?")
async def live() -> Live:
    """As `/livez`."""
    return Live(live=True)


@health.get("/ready", summary="Should traffic come here?", responses=problems(503))
async def ready(runtime: RuntimeDep) -> Ready:
    """As `/readyz`."""
    if runtime.draining:
        raise UnavailableError("the service is shutting down")
    return Ready(ready=True)


@router.get("/models/stats", summary="Statistics of all models", responses=problems(503))
async def all_statistics(runtime: RuntimeDep) -> ModelStats:
    """Inferences of this process over this protocol, by version."""
    return ModelStats(model_stats=runtime.oip.statistics.of(None, None))


_VERSION = "/models/{name}/versions/{version}"


@router.get("/models/{name}", summary="Inputs and outputs", responses=problems(404, 503))
@router.get(_VERSION, summary="Inputs and outputs of a version", responses=problems(404, 503))
async def metadata(name: str, runtime: RuntimeDep, version: str | None = None) -> ModelMetadata:
    """`versions` are those held ready by the process that answers; any other will do as well."""
    repository = runtime.oip.repository
    model = repository.model(name)
    if version is None:
        return describe.metadata(model, model.space.tasks, repository.versions(name))
    known = await repository.version(model, await repository.subnet_id(version))
    return describe.metadata(model, known.tasks, (version,))


@router.get("/models/{name}/ready", summary="Is it ready?", responses=problems(404, 503))
@router.get(f"{_VERSION}/ready", summary="Is the version ready?", responses=problems(404, 503))
async def model_ready(name: str, runtime: RuntimeDep, version: str | None = None) -> ModelReady:
    """A version is ready where it is known: what is not in memory is fetched when it is needed."""
    repository = runtime.oip.repository
    model = repository.model(name)
    if version is not None:
        await repository.version(model, await repository.subnet_id(version))
    return ModelReady(name=name, ready=True)


@router.get(
    "/models/{name}/config",
    summary="Its configuration, as Triton has it",
    response_model_exclude_none=True,
    responses=problems(404, 503),
)
@router.get(
    f"{_VERSION}/config",
    summary="The configuration of a version",
    response_model_exclude_none=True,
    responses=problems(404, 503),
)
async def config(name: str, runtime: RuntimeDep, version: str | None = None) -> ModelConfig:
    """Tensors without the batch, and the most images of a request."""
    repository, settings = runtime.oip.repository, runtime.settings
    model = repository.model(name)
    subnet_id = None if version is None else await repository.subnet_id(version)
    known = None if subnet_id is None else await repository.version(model, subnet_id)
    return describe.config(
        model, subnet_id, known, settings.max_tensor_batch, runtime.predictions.lanes.batching
    )


@router.get("/models/{name}/stats", summary="Its statistics", responses=problems(404, 503))
@router.get(f"{_VERSION}/stats", summary="Statistics of a version", responses=problems(404, 503))
async def statistics(name: str, runtime: RuntimeDep, version: str | None = None) -> ModelStats:
    """Inferences of this process over this protocol, by version."""
    repository = runtime.oip.repository
    model = repository.model(name)
    subnet_id = None if version is None else await repository.subnet_id(version)
    found = runtime.oip.statistics.of(name, subnet_id)
    if not found and subnet_id is not None:
        await repository.version(model, subnet_id)
        found = (unused(name, subnet_id),)
    return ModelStats(model_stats=found)


_INFER: dict[str, Any] = {
    "response_class": Response,
    "openapi_extra": tensor_body(),
    "responses": {
        200: {"model": InferAnswer, "content": {"application/octet-stream": {}}},
        **problems(400, 404, 413, 415, 422, 429, 503, 504),
    },
}


@router.post("/models/{name}/infer", summary="Run the network that parameters dial", **_INFER)
@router.post(f"{_VERSION}/infer", summary="Run a version", **_INFER)
async def infer(
    name: str,
    request: Request,
    runtime: RuntimeDep,
    version: str | None = None,
) -> Response:
    """Tensors as JSON, or as bytes after it with `Inference-Header-Content-Length`.

    The input is `image`, FP32 [N, 3, H, W], RGB in [0, 1]; outputs are the network's own. Without
    a version, the parameters `gmacs` and `preference.TASK` dial one, and without these it is the
    full network.
    """
    seconds = seconds_of(request.headers, runtime.settings.request_timeout_s)
    refuse_compressed(request)
    body = await request.body()
    length = json_length(body, request.headers.get(HEADER))
    bounds = runtime.oip.inference.bounds(name)
    if length > _SMALL_BYTES:
        asked = await asyncio.to_thread(read, body, length, bounds)
    else:
        asked = read(body, length, bounds)
    seconds = min(seconds, seconds_asked(asked.body.parameters) or seconds)
    async with Patience(request.receive, seconds) as allowed:
        answered = await runtime.oip.inference.infer(name, version, asked, allowed)
    if answered.header_length is None:
        return Response(answered.content, media_type="application/json")
    return Response(
        answered.content,
        media_type="application/octet-stream",
        headers={HEADER: str(answered.header_length)},
    )

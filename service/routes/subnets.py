"""``/subnet``: dial a sub-network, look at it, download it."""

from typing import Any, Literal

from fastapi import APIRouter, Request
from starlette.responses import Response

from model_store.cache_records import StoredSubnet
from service import logs
from service.bodies import read_json
from service.head import is_bare
from service.openapi import json_body, problems, timeout_header
from service.patience import Patience, seconds_of
from service.routes.deps import RuntimeDep, runtime_of
from service.routes.direct import Direct
from service.schemas import Dial, DialledAnswer, SubnetAnswer
from service.security.access import needs
from service.timing import LatencyAnswer, LatencyAsk, time_runs

dialling = APIRouter(tags=["sub-networks"], route_class=Direct)
router = APIRouter(prefix="/subnet", tags=["sub-networks"])


@dialling.post(
    "/subnet",
    response_model=DialledAnswer,
    dependencies=[needs("subnet")],
    summary="The sub-network for a budget and a preference per task",
    openapi_extra=json_body(Dial) | timeout_header(),
    responses=problems(400, 404, 413, 415, 422, 429, 503, 504),
)
async def dial(request: Request) -> Response:
    """Idempotent: the same request against the same model version gives the same `subnet_id`."""
    runtime = runtime_of(request)
    seconds = seconds_of(request.headers, runtime.settings.request_timeout_s)
    wish = await read_json(request, Dial)
    async with Patience(request.receive, seconds):
        dialled = await runtime.subnets.dial(wish)
    cache: Literal["hit", "miss"] = "hit" if dialled.hit else "miss"
    logs.note(cache=cache)
    answer = DialledAnswer(
        **_described(dialled.subnet_id, dialled.stored),
        **dialled.spent.__dict__,
        cache=cache,
        timings_ms=dialled.timings_ms,
    )
    return Response(answer.model_dump_json(), media_type="application/json")


@router.get(
    "/{subnet_id}",
    response_model=SubnetAnswer,
    dependencies=[needs("predict")],
    summary="A sub-network that was dialled before",
    responses=problems(404),
)
async def get(subnet_id: str, runtime: RuntimeDep) -> Response:
    """What is known about it, without its weights."""
    answer = SubnetAnswer(**_described(subnet_id, await runtime.subnets.get(subnet_id)))
    return Response(answer.model_dump_json(), media_type="application/json")


@router.get(
    "/{subnet_id}/onnx",
    response_class=Response,
    dependencies=[needs("predict")],
    summary="Its ONNX file",
    openapi_extra=timeout_header(),
    responses={
        200: {"content": {"application/octet-stream": {}}},
        304: {"description": "Not modified (If-None-Match)"},
        **problems(404, 429, 503, 504),
    },
)
async def onnx(subnet_id: str, request: Request, runtime: RuntimeDep) -> Response:
    """Static ONNX: input `image` float32 [N, 3, H, W], RGB in [0, 1]; outputs named after tasks."""
    seconds = seconds_of(request.headers, runtime.settings.request_timeout_s)
    stored = await runtime.subnets.get(subnet_id)
    logs.note(model=stored.metadata.model, subnet_id=subnet_id)
    if _matches(request.headers.get("if-none-match"), _etag(stored)):
        return Response(status_code=304, headers={"etag": _etag(stored)})
    content = None
    if not is_bare(request.scope):
        async with Patience(request.receive, seconds):
            stored, content = await runtime.subnets.onnx(subnet_id)
    name = f"{stored.metadata.model}-{stored.metadata.version}-{subnet_id}.onnx"
    return Response(
        content,
        media_type="application/octet-stream",
        headers={
            "etag": _etag(stored),
            "content-length": str(stored.size),
            "content-disposition": f'attachment; filename="{name}"',
        },
    )


@router.post(
    "/{subnet_id}/latency",
    dependencies=[needs("predict")],
    summary="How long it takes here and now",
    openapi_extra=json_body(LatencyAsk) | timeout_header(),
    responses=problems(400, 404, 413, 415, 422, 429, 503, 504),
)
async def latency(subnet_id: str, request: Request, runtime: RuntimeDep) -> LatencyAnswer:
    """Runs it on a grey picture, at batch 1. On a busy machine the fastest run says most."""
    seconds = seconds_of(request.headers, runtime.settings.request_timeout_s)
    ask = await read_json(request, LatencyAsk)
    async with Patience(request.receive, seconds) as allowed:
        return await time_runs(
            runtime.predictions, runtime.subnets.place, subnet_id, ask.runs, allowed
        )


def _described(subnet_id: str, stored: StoredSubnet) -> dict[str, Any]:
    """The fields of a SubnetAnswer."""
    known = stored.metadata
    logs.note(model=known.model, subnet_id=subnet_id)
    self_link = f"/subnet/{subnet_id}"
    return {
        "subnet_id": subnet_id,
        "model": known.model,
        "version": known.version,
        "tasks": known.tasks,
        "gmacs": known.gmacs,
        "parameters": known.parameters,
        "size_bytes": known.size_bytes,
        "widths": known.widths,
        "channels": known.channels,
        "predicted": known.predicted,
        "sha256": stored.sha256,
        "links": {
            "self": self_link,
            "onnx": f"{self_link}/onnx",
            "predict": f"/predict?subnet_id={subnet_id}",
            "latency": f"{self_link}/latency",
        },
    }


def _etag(stored: StoredSubnet) -> str:
    return f'"{stored.sha256}"'


def _matches(if_none_match: str | None, etag: str) -> bool:
    """Weak comparison, as RFC 9110 (13.1.2) has it for If-None-Match."""
    if if_none_match is None:
        return False
    tags = [t.strip().removeprefix("W/") for t in if_none_match.split(",")]
    return "*" in tags or etag in tags

"""``/curve``: what a preference is worth over the range of budgets."""

from fastapi import APIRouter, Request

from service.bodies import read_json
from service.curve import CurveAnswer, CurveAsk, curve
from service.openapi import json_body, problems
from service.patience import TimeoutMs, patience, seconds_of
from service.routes.deps import RuntimeDep

router = APIRouter(tags=["sub-networks"])


@router.post(
    "/curve",
    summary="Predicted quality over the budget",
    openapi_extra=json_body(CurveAsk),
    responses=problems(400, 404, 413, 415, 422, 429, 503, 504),
)
async def get_curve(
    request: Request, runtime: RuntimeDep, timeout_ms: TimeoutMs = None
) -> CurveAnswer:
    """The sub-networks that `POST /subnet` would choose, from the least budget to the most.

    They are searched, not built: a `subnet_id` is known once it has been dialled.
    """
    ask = await read_json(request, CurveAsk)
    seconds = seconds_of(timeout_ms, runtime.settings.request_timeout_s)
    async with patience(request.receive, seconds):
        return await curve(runtime.subnets, ask)

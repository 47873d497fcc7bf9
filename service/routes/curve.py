"""``/curve``: what a preference is worth over the range of budgets."""

from fastapi import APIRouter, Request

from service.bodies import read_json
from service.curve import CurveAnswer, CurveAsk, curve
from service.openapi import json_body, problems, timeout_header
from service.patience import Patience, seconds_of
from service.routes.deps import RuntimeDep
from service.security.access import needs

router = APIRouter(tags=["sub-networks"], dependencies=[needs("predict")])


@router.post(
    "/curve",
    summary="Predicted quality over the budget",
    openapi_extra=json_body(CurveAsk) | timeout_header(),
    responses=problems(400, 404, 413, 415, 422, 429, 503, 504),
)
async def get_curve(request: Request, runtime: RuntimeDep) -> CurveAnswer:
    """The sub-networks that `POST /subnet` would choose, from the least budget to the most.

    They are searched, not built: a `subnet_id` is known once it has been dialled.
    """
    seconds = seconds_of(request.headers, runtime.settings.request_timeout_s)
    ask = await read_json(request, CurveAsk)
    async with Patience(request.receive, seconds):
        return await curve(runtime.subnets, ask)

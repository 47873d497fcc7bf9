"""``/models``: what is served."""

import asyncio

from fastapi import APIRouter
from starlette.responses import Response

from service import logs
from service.describe import details, summary
from service.examples import ExampleAnswer, ExampleList, described, example_of, listed
from service.openapi import problems
from service.routes.deps import RuntimeDep
from service.schemas import ModelAnswer, ModelList
from service.security.access import needs

router = APIRouter(prefix="/models", tags=["models"], dependencies=[needs("predict")])


@router.get("", summary="All models served")
async def list_models(runtime: RuntimeDep) -> ModelList:
    """Name, version, method, tasks and feasible budgets."""
    catalog = runtime.catalog
    return ModelList(
        models=tuple(summary(m, name == catalog.default) for name, m in catalog.models.items())
    )


@router.get("/{name}", summary="One model", responses=problems(404))
async def get_model(name: str, runtime: RuntimeDep) -> ModelAnswer:
    """Tasks, input, feasible budgets, width choices, provenance and the report of its training."""
    model = runtime.catalog.get(name)
    logs.note(model=name)
    profile = runtime.subnets.profile_of(model)
    return await asyncio.to_thread(details, model, name == runtime.catalog.default, profile)


@router.get("/{name}/examples", summary="Pictures to try it with", responses=problems(404))
async def list_examples(name: str, runtime: RuntimeDep) -> ExampleList:
    """Test pictures with ground truth, or synthetic calibration pictures; perhaps none."""
    return await asyncio.to_thread(listed, runtime.catalog.get(name))


@router.get("/{name}/examples/{example}", summary="One of them", responses=problems(404))
async def get_example(name: str, example: str, runtime: RuntimeDep) -> ExampleAnswer:
    """Its ground truth, in the form of a prediction's outputs."""
    return await asyncio.to_thread(described, runtime.catalog.get(name), example)


@router.get(
    "/{name}/examples/{example}/picture",
    summary="Its picture",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}}, **problems(404)},
)
async def get_picture(name: str, example: str, runtime: RuntimeDep) -> Response:
    """PNG, at the network's input size."""
    found = await asyncio.to_thread(example_of, runtime.catalog.get(name), example)
    return Response(found.picture, media_type="image/png")

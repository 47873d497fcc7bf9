"""``/models``: what is served."""

from fastapi import APIRouter

from service import logs
from service.describe import details, summary
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
    return details(model, name == runtime.catalog.default)

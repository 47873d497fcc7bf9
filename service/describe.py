"""Published models in the words of the API, for HTTP and for the command line."""

from typing import get_args

from model_store.budget import Budget, BudgetKind
from model_store.examples import measurable_names
from model_store.latency import LatencyProfile
from model_store.published import PublishedModel
from model_store.request import SubnetRequest
from service.costs import feasible
from service.schemas import (
    BudgetRange,
    GroupAnswer,
    ModelAnswer,
    ModelSummary,
    TaskAnswer,
    WidthChoices,
)


def budget_range(model: PublishedModel) -> dict[str, float]:
    """The budgets that make a difference, with all tasks kept."""
    return {
        "min_gmacs": model.cost.of(model.space.smallest()) / 1e9,
        "max_gmacs": model.full_macs / 1e9,
    }


def summary(model: PublishedModel, default: bool) -> ModelSummary:
    """A model in brief."""
    manifest = model.manifest
    return ModelSummary(
        name=manifest.name,
        version=manifest.version,
        method=manifest.method,
        default=default,
        tasks=model.space.tasks,
        examples=len(measurable_names(model)),
        budget=budget_range(model),
        links={"self": f"/models/{manifest.name}"},
    )


def budget_ranges(
    model: PublishedModel, latency: LatencyProfile | None
) -> dict[BudgetKind, BudgetRange]:
    """The same for every kind of budget; that of latency where there is a profile."""
    kinds = [k for k in get_args(BudgetKind) if k != "latency_ms" or latency is not None]
    requests = {k: SubnetRequest.of(model, Budget(k, 1.0), {}, latency=latency) for k in kinds}
    found = {kind: feasible(model, request) for kind, request in requests.items()}
    return {kind: BudgetRange(min=least, max=most) for kind, (least, most) in found.items()}


def details(model: PublishedModel, default: bool, latency: LatencyProfile | None) -> ModelAnswer:
    """All about a model, with its profile where it is served, if there is one."""
    manifest, groups = model.manifest, model.space.groups
    return ModelAnswer(
        name=manifest.name,
        version=manifest.version,
        method=manifest.method,
        digest=model.digest,
        default=default,
        tasks=tuple(TaskAnswer.model_validate(t.model_dump()) for t in manifest.tasks),
        input=manifest.input,
        budget=budget_range(model),
        budgets=budget_ranges(model, latency),
        groups=tuple(GroupAnswer(name=g.name, task=g.task, channels=g.channels) for g in groups),
        widths=WidthChoices(
            encoder={g.name: g.ratios for g in groups if g.task is None},
            decoders={g.task: g.ratios for g in groups if g.task is not None},
        ),
        provenance=manifest.provenance,
        report=model.report,
        links={
            "self": f"/models/{manifest.name}",
            "examples": f"/models/{manifest.name}/examples",
            "subnet": "/subnet",
            "predict": "/predict",
            "curve": "/curve",
        },
    )

"""Published models in the words of the API, for HTTP and for the command line."""

from model_store.published import PublishedModel
from service.schemas import ModelAnswer, ModelSummary, TaskAnswer, WidthChoices


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
        budget=budget_range(model),
        links={"self": f"/models/{manifest.name}"},
    )


def details(model: PublishedModel, default: bool) -> ModelAnswer:
    """All about a model."""
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
        widths=WidthChoices(
            encoder={g.name: g.ratios for g in groups if g.task is None},
            decoders={g.task: g.ratios for g in groups if g.task is not None},
        ),
        provenance=manifest.provenance,
        report=model.report,
        links={"self": f"/models/{manifest.name}", "subnet": "/subnet", "predict": "/predict"},
    )

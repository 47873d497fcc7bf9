"""The manifest of a trained SuperNet: what a service needs to know to cut and to serve it."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version as library_version

from model_store.manifest import (
    SCHEMA_VERSION,
    CalibrationSpec,
    CostTermSpec,
    GroupSpec,
    InputSpec,
    Manifest,
    Provenance,
)
from model_store.manifest import Task as TaskSpec
from model_store.subnet.slicing import Dims
from training.metrics import metric_of
from training.recipe import Recipe
from training.supernet import cost_model

LIBRARIES = ("torch", "onnx", "onnxscript", "numpy")
"""Libraries whose versions stand in the manifest."""


def manifest_of(
    recipe: Recipe,
    version: str,
    slices: Mapping[str, Dims],
    calibration: CalibrationSpec,
    labels: Mapping[str, tuple[str, ...]],
    rounding: int,
) -> Manifest:
    """The manifest of a recipe's network, without the digests of its files.

    Args:
        recipe: what the network was trained by.
        version: the version's name.
        slices: of the calibrated network, from :meth:`SuperNet.slices`.
        calibration: the calibration images that ship with it.
        labels: class names by task, where the data set names them rather than the recipe.
        rounding: the channel counts of the encoder that are published are multiples of this. Of
            decoders all are, since their widths are the steps that preferences have.
    """
    config = recipe.network
    cost = cost_model(config)
    return Manifest(
        schema_version=SCHEMA_VERSION,
        name=recipe.name,
        version=version,
        method="ecmt",
        divisor=config.divisor,
        provenance=Provenance(
            dataset=recipe.dataset,
            recipe=repr(recipe),
            seed=recipe.seed,
            libraries={name: library_version(name) for name in LIBRARIES},
            created=datetime.now(UTC).date().isoformat(),
            attribution=recipe.attribution,
            license=recipe.license,
        ),
        tasks=tuple(
            TaskSpec(
                name=t.name,
                kind=t.kind,
                classes=t.outputs,
                labels=labels.get(t.name, t.labels),
                palette=t.palette,
                metric=metric_of(t.kind),
            )
            for t in config.tasks
        ),
        input=InputSpec(
            height=config.height,
            width=config.width,
            channel_order="RGB",
            mean=config.mean,
            std=config.std,
        ),
        groups=tuple(
            GroupSpec(
                name=g.name, ratios=g.ratios, channels=g.channels, task=g.task, within=g.within
            )
            for g in (g if g.task else g.rounded(rounding) for g in cost.space.groups)
        ),
        slices=dict(slices),
        cost=tuple(CostTermSpec(**asdict(term)) for term in cost.terms),
        calibration=calibration,
    )

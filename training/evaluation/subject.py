"""What is evaluated: a run with its checkpoint, or a published model without one."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model_store.published import PublishedModel
from model_store.subnet.cost import CostModel
from model_store.subnet.predictor import AccuracyPredictor
from model_store.subnet.space import Architecture, SearchSpace
from training import checkpoint
from training.evaluate import Quality
from training.evaluation.judged import Judged
from training.fitted import load_fitted
from training.metrics import metric_of
from training.predictor import PredictorQuality
from training.ranks import Ranks
from training.recipe import Recipe
from training.supernet import cost_model
from training.variants import RunName


@dataclass(frozen=True, eq=False)
class Subject:
    """What searching and predicting need; no network."""

    name: str
    """Of the run folder, or of the model and its version."""
    kind: Literal["run", "model"]
    digest: str
    """SHA-256 of the checkpoint, or of the model's manifest."""
    epochs: int | None
    """Whole epochs that it was trained for; None of a model, which does not say."""
    tasks: tuple[Judged, ...]
    cost: CostModel
    predictor: AccuracyPredictor
    quality: PredictorQuality
    """How well it predicts held-out sub-networks."""

    @property
    def space(self) -> SearchSpace:
        """The search space."""
        return self.cost.space

    @property
    def full_gmacs(self) -> float:
        """The cost of the full network."""
        return self.gmacs(self.space.largest())

    def gmacs(self, architecture: Architecture) -> float:
        """The cost of a sub-network with all decoders, in 1e9 multiply-accumulates."""
        return self.cost.of(architecture) / 1e9

    def predict(self, architecture: Architecture) -> Quality:
        """What the predictor says of a sub-network."""
        channels_1G = np.array([architecture.channels], dtype=np.int64)
        losses_1N, metrics_1N = self.predictor.predict(self.space.ratios_of(channels_1G))
        names = [t.name for t in self.tasks]
        return Quality(
            dict(zip(names, losses_1N[0].tolist(), strict=True)),
            dict(zip(names, metrics_1N[0].tolist(), strict=True)),
        )


@dataclass(frozen=True)
class Run:
    """A run folder that holds a trained network."""

    name: RunName
    folder: Path
    recipe: Recipe
    """Of this run: of its variant and seed."""
    base: Recipe
    """The recipe that it was made from."""

    @property
    def checkpoint(self) -> Path:
        """Its weights."""
        return self.folder / "checkpoint.pt"

    def subject(self, ranks: Ranks) -> tuple[Subject, Mapping[str, NDArray[np.float32]]]:
        """What is evaluated of it, and the predictor's tensors.

        Raises:
            ValueError: there is no checkpoint or predictor, or they do not belong together.
        """

        def read() -> tuple[str, int, dict[str, NDArray[np.float32]], PredictorQuality]:
            if not self.checkpoint.is_file():
                raise ValueError(
                    f"{self.checkpoint} does not exist; train first: "
                    f"slimdial-train train {self.name.options}"
                )
            epochs = checkpoint.load(self.checkpoint)["epoch"]
            return (checkpoint.digest(self.checkpoint), epochs, *load_fitted(self.folder))

        digest, epochs, tensors, quality = ranks.from_first(read)
        cost, names = cost_model(self.recipe.network), [t.name for t in self.recipe.network.tasks]
        groups = len(cost.space.groups)
        subject = Subject(
            name=self.folder.name,
            kind="run",
            digest=digest,
            epochs=epochs,
            tasks=judged(self.recipe),
            cost=cost,
            predictor=AccuracyPredictor.from_tensors(tensors, names, groups),
            quality=quality,
        )
        return subject, tensors


def judged(recipe: Recipe) -> tuple[Judged, ...]:
    """How a recipe's tasks are judged."""
    return tuple(Judged(t.name, t.kind, metric_of(t.kind)) for t in recipe.network.tasks)


def published_subject(model: PublishedModel) -> Subject:
    """What is evaluated of a published model.

    Raises:
        ValueError: its report does not say how well its predictor predicts.
    """
    try:
        quality = PredictorQuality(**model.report["predictor"])
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"{model.path / 'report.json'} does not say how well the predictor predicts; "
            "publish the model again: slimdial-train publish"
        ) from error
    return Subject(
        name=f"{model.manifest.name}-{model.manifest.version}",
        kind="model",
        digest=model.digest,
        epochs=None,
        tasks=tuple(Judged(t.name, t.kind, t.metric) for t in model.manifest.tasks),
        cost=model.cost,
        predictor=model.predictor,
        quality=quality,
    )

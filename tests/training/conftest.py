"""Two published models, made once: exporting takes seconds."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from typer.testing import CliRunner

from model_store.published import ModelStore, PublishedModel
from tests.training.data.cifar_files import write_cifar
from tests.training.tiny import Noise, classifying, dense, network_of
from training import publish as publishing
from training.cli import app
from training.data.load import DataSets
from training.data.source import split
from training.export import export_onnx
from training.loop import load_network
from training.predictor import PredictorNetwork, PredictorQuality
from training.publish import Published, publish
from training.recipe import Recipe
from training.supernet import SuperNet
from training.tasks import Task

PREFERENCES = 3
"""Preferences that hypervolumes are measured over here."""

CALIBRATION_IMAGES = 70
"""More than fit one batch, and not a multiple of a batch."""


@dataclass(frozen=True)
class Made:
    """A published model and what it was made from."""

    recipe: Recipe
    network: SuperNet
    store: ModelStore
    model: PublishedModel


@dataclass(frozen=True)
class Commanded(Made):
    """A model that the three commands made."""

    data: Path
    runs: Path
    results: dict[str, dict[str, Any]]
    """What each command printed."""


@dataclass(frozen=True)
class Called(Made):
    """A model that :func:`training.publish.publish` made."""

    data: DataSets
    predictor: dict[str, NDArray[np.float32]]
    quality: PredictorQuality
    images_NHWC: NDArray[np.uint8]
    exported: onnx.ModelProto
    published: Published
    progress: list[tuple[str, int, int]]


def commanded_recipe() -> Recipe:
    """For the tasks of the CIFAR files that the tests write."""
    made = classifying()
    tasks = (Task("water-animals", "classification", 3), Task("flowers", "classification", 2))
    return replace(made, network=replace(made.network, tasks=tasks))


@pytest.fixture(scope="session")
def commanded(tmp_path_factory: pytest.TempPathFactory) -> Commanded:
    """ResNet-9 and linear heads, from files to a published model by commands alone."""
    folder = tmp_path_factory.mktemp("commanded")
    data, runs, store = folder / "data", folder / "runs", folder / "store"
    write_cifar(data, count=100)
    recipe = commanded_recipe()
    results: dict[str, dict[str, Any]] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.hypervolume.PREFERENCES", PREFERENCES)
        patch.setattr("training.cli_data.recipes", lambda: {"tiny": lambda: recipe})
        for command in ("train", "predictor", "publish"):
            arguments = [command, "tiny", "--data", str(data), "--runs", str(runs), "--json"]
            if command == "publish":
                arguments += ["--store", str(store), "--images", str(CALIBRATION_IMAGES)]
            result = CliRunner().invoke(app, arguments, catch_exceptions=False)
            assert result.exit_code == 0, result.output
            results[command] = json.loads(result.stdout)
    network = load_network(recipe, runs / "tiny" / "checkpoint.pt")
    models = ModelStore(store)
    return Commanded(recipe, network, models, models.open("tiny"), data, runs, results)


@pytest.fixture(scope="session")
def called(tmp_path_factory: pytest.TempPathFactory) -> Called:
    """MobileNetV2 and DeepLabv3 heads of every dense kind, of random weights."""
    recipe = replace(dense(), scenes=1)
    network = network_of(recipe)
    train, validation = split(Noise.of(recipe, 80, seed=1), 0.1, 0)
    data = DataSets(train, validation, Noise.of(recipe, 8, seed=2), {})
    tasks = [t.name for t in recipe.network.tasks]
    scores = dict.fromkeys(tasks, 0.5)
    quality = PredictorQuality(90, 10, scores, scores, scores, scores)
    predictor = PredictorNetwork(len(network.space.groups), 2 * len(tasks)).tensors()
    images_NHWC = data.train.pixels(torch.arange(CALIBRATION_IMAGES)).numpy()
    store = ModelStore(tmp_path_factory.mktemp("called"))
    exported: list[onnx.ModelProto] = []
    progress: list[tuple[str, int, int]] = []

    def export(subnet: SuperNet) -> onnx.ModelProto:
        exported.append(export_onnx(subnet))
        return exported[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.hypervolume.PREFERENCES", PREFERENCES)
        patch.setattr(publishing, "export_onnx", export)
        published = publish(
            recipe,
            network,
            predictor,
            quality,
            data,
            images_NHWC,
            "real",
            store,
            "1",
            recipe.network.divisor,
            lambda *report: progress.append(report),
        )
    model = store.open(recipe.name)
    return Called(
        recipe,
        network,
        store,
        model,
        data,
        predictor,
        quality,
        images_NHWC,
        exported[0],
        published,
        progress,
    )

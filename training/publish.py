"""From a trained SuperNet and its predictor to a published model, proven equal to PyTorch."""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal
from zipfile import ZIP_DEFLATED

import numpy as np
import safetensors.numpy
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from model_store.manifest import CalibrationSpec, Manifest, check_version
from model_store.npz import npz
from model_store.published import PUBLISHED_ALREADY, ModelError, ModelStore
from model_store.subnet.weights import split_weights
from training.data.load import DataSets
from training.evaluate import calibrated
from training.export import export_onnx
from training.hypervolume import measure_hypervolume
from training.manifest import manifest_of
from training.parity import check_parity
from training.predictor import PredictorQuality
from training.recipe import Recipe
from training.report import widths_report
from training.supernet import SuperNet
from training.synthesis import SynthesisConfig, synthesise

CalibrationKind = Literal["real", "synthetic"]

REAL_IMAGES = 512
"""Real images whose statistics synthetic ones are to meet."""

EXAMPLES = 4
"""Test images that are published, and that outputs are compared on; fewer where there are."""

PARITY_CHECKS = 6
"""Sub-networks compared with PyTorch before a model is published."""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True)
class Published:
    """What ``publish`` did."""

    path: Path
    parity: float
    """Largest relative error against PyTorch."""
    report: Mapping[str, Any]


def compared_images(data: DataSets) -> Tensor:
    """The test images [N, 3, H, W] on which exported outputs are compared with PyTorch's."""
    return data.test.batch(torch.arange(min(EXAMPLES, len(data.test)))).images_NCHW


def check_publishable(recipe: Recipe, store: ModelStore, version: str, rounding: int) -> None:
    """Refuses what :func:`publish` could not write, before minutes of work.

    Raises:
        ModelError: the version exists.
        ValueError: a malformed version, or a rounding that the network was not trained for.
    """
    if rounding < 1 or rounding % recipe.network.divisor:
        raise ValueError(
            f"the network was trained with widths in multiples of {recipe.network.divisor}; "
            f"they can be published in multiples of that, found {rounding}"
        )
    if check_version(version) in store.versions(recipe.name):
        raise ModelError(store.root / recipe.name / version, PUBLISHED_ALREADY)


def calibration_images(
    network: SuperNet,
    data: DataSets,
    kind: CalibrationKind,
    count: int,
    seed: int,
    progress: Progress,
) -> NDArray[np.uint8]:
    """Images to ship with a model: drawn from the training part, or synthesised."""
    order = torch.from_numpy(np.random.default_rng(seed).permutation(len(data.train)))
    if kind == "real":
        return data.train.pixels(order[:count]).numpy()
    real = data.train.batch(order[:REAL_IMAGES]).images_NCHW
    return synthesise(
        network,
        real,
        count,
        seed,
        SynthesisConfig(),
        lambda step, steps, _: progress("synthesising calibration images", step, steps),
    )


def packed(
    recipe: Recipe,
    network: SuperNet,
    predictor: Mapping[str, NDArray[np.float32]],
    data: DataSets,
    images_NHWC: NDArray[np.uint8],
    kind: CalibrationKind,
    version: str,
    rounding: int,
) -> tuple[dict[str, bytes], Manifest]:
    """The files of a model to be published, without a report, and their manifest.

    The arguments are those of :func:`publish`.
    """
    real = data.train.batch(torch.arange(min(REAL_IMAGES, len(data.train)))).images_NCHW
    full = calibrated(network, network.space.largest(), real)
    calibration = CalibrationSpec(kind=kind, images=len(images_NHWC))
    manifest = manifest_of(recipe, version, full.slices(), calibration, data.labels, rounding)
    graph, weights = split_weights(export_onnx(full))
    files = {
        "supernet.onnx": graph,
        "supernet.onnx.data": weights,
        "predictor.safetensors": safetensors.numpy.save(dict(predictor)),
        "calibration.npz": npz({"images": images_NHWC}, ZIP_DEFLATED),
        "report.json": b"{}",
        "ATTRIBUTION": f"{recipe.attribution}\n".encode(),
        **(_examples(data) if recipe.scenes else {}),
    }
    return files, manifest


def publish(
    recipe: Recipe,
    network: SuperNet,
    predictor: Mapping[str, NDArray[np.float32]],
    predictor_quality: PredictorQuality,
    data: DataSets,
    images_NHWC: NDArray[np.uint8],
    kind: CalibrationKind,
    store: ModelStore,
    version: str,
    rounding: int,
    progress: Progress = lambda _, __, ___: None,
) -> Published:
    """Writes a published model.

    Args:
        recipe: what the network was trained by.
        network: the trained SuperNet.
        predictor: the predictor's tensors.
        predictor_quality: how well it predicts.
        data: the recipe's data; the report is measured on its test split.
        images_NHWC: calibration images, from :func:`calibration_images`.
        kind: where they come from.
        store: where to publish.
        version: the version's name.
        rounding: the encoder's channel counts that are published are multiples of this, itself a
            multiple of the recipe's divisor. It may be chosen after training, for the hardware
            that serves.
        progress: see :data:`Progress`.

    Raises:
        ParityError: a sub-network differs from PyTorch's; nothing is published.
        ModelError: as :func:`check_publishable`.
        ValueError: likewise.
    """
    check_publishable(recipe, store, version, rounding)
    progress("exporting", 0, 1)
    files, manifest = packed(recipe, network, predictor, data, images_NHWC, kind, version, rounding)
    progress("exporting", 1, 1)
    with TemporaryDirectory() as folder:
        trial = ModelStore(Path(folder))
        trial.publish(recipe.name, version, files, manifest)
        model = trial.open(recipe.name)
        inputs = compared_images(data).contiguous().numpy()
        parity = check_parity(
            model,
            network,
            inputs,
            PARITY_CHECKS,
            recipe.seed,
            lambda done, count: progress("comparing with PyTorch", done, count),
        )
        progress("measuring on the test split", 0, 1)
        report = {
            "dataset": recipe.dataset,
            "test_images": len(data.test),
            "widths": widths_report(model, data.test),
            "predictor": asdict(predictor_quality),
            "parity": parity,
            "hypervolume": asdict(
                measure_hypervolume(
                    model,
                    network,
                    data.test,
                    recipe.seed,
                    lambda done, count: progress("measuring the hypervolume", done, count),
                )
            ),
            "gmacs": {
                "min": model.cost.of(model.space.smallest()) / 1e9,
                "max": model.cost.of(model.space.largest()) / 1e9,
            },
        }
        progress("measuring on the test split", 1, 1)
    files["report.json"] = json.dumps(report, indent=1).encode()
    return Published(store.publish(recipe.name, version, files, manifest), parity, report)


def _examples(data: DataSets) -> dict[str, bytes]:
    """A few test images with their ground truth."""
    files: dict[str, bytes] = {}
    for i in range(min(EXAMPLES, len(data.test))):
        buffer = io.BytesIO()
        Image.fromarray(data.test.pixels(torch.tensor([i]))[0].numpy()).save(buffer, "PNG")
        files[f"examples/{i}.png"] = buffer.getvalue()
        targets = data.test.batch(torch.tensor([i])).targets
        compact = {name: t[0].numpy() for name, t in targets.items()}
        files[f"examples/{i}.npz"] = npz(
            {
                name: a.astype(np.uint8 if a.dtype == np.int64 else np.float16)
                for name, a in compact.items()
            },
            ZIP_DEFLATED,
        )
    return files

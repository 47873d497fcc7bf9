"""Extraction against ``torch.onnx.export`` of the same sub-network, in one run.

``python -m benchmarks.extraction [--json FILE]``. Extraction is slice, fold, write and check,
without calibration; both sides start from statistics that are there already.
"""

import logging
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import torch
import typer

from benchmarks.output import show
from model_store.calibration import calibrate
from model_store.published import ModelStore, PublishedModel, default_root
from model_store.subnet.extraction import cut
from model_store.subnet.graph import Graph
from model_store.subnet.normalisation import Statistics
from model_store.subnet.space import Architecture
from model_store.subnetwork import finish
from training.configs import recipes
from training.evaluate import calibrated
from training.export import Deployed
from training.loop import build


@dataclass(frozen=True)
class Row:
    """Medians over the same sub-networks."""

    model: str
    subnets: int
    extract_ms: float
    torchscript_export_ms: float
    dynamo_export_ms: float
    torchscript_over_extract: float
    dynamo_over_extract: float


def milliseconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - start)


def compare(model: PublishedModel, subnets: int) -> Row:
    """Times both on random sub-networks of one model."""
    rng = np.random.default_rng(0)
    # Weights do not matter to the time; a network of the recipe stands for the trained one.
    network = build(recipes()[model.manifest.name]())
    h, w = model.manifest.input.height, model.manifest.input.width
    extract, script, dynamo = [], [], []
    for _ in range(subnets):
        architecture = model.space.random(rng)
        found = calibrate(_cut(model, architecture), model.calibration_NHWC[:8], threads=1)
        extract.append(milliseconds(partial(_extract, model, architecture, found)))
        deployed = Deployed(calibrated(network, architecture, torch.rand(8, 3, h, w))).eval()
        example = torch.zeros(2, 3, h, w)
        script.append(milliseconds(partial(_export, deployed, example, dynamo=False)))
        dynamo.append(milliseconds(partial(_export, deployed, example, dynamo=True)))
    ours, theirs, default = (statistics.median(times) for times in (extract, script, dynamo))
    return Row(
        model=model.manifest.name,
        subnets=subnets,
        extract_ms=ours,
        torchscript_export_ms=theirs,
        dynamo_export_ms=default,
        torchscript_over_extract=theirs / ours,
        dynamo_over_extract=default / ours,
    )


def _cut(model: PublishedModel, architecture: Architecture) -> Graph:
    return cut(model.graph, model.space, model.manifest.slices, architecture, model.space.tasks)


def _extract(model: PublishedModel, architecture: Architecture, found: Statistics) -> None:
    finish(_cut(model, architecture), found, {})


def _export(deployed: Deployed, example: torch.Tensor, dynamo: bool) -> None:
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        torch.onnx.export(
            deployed,
            (example,),
            Path(folder) / "subnet.onnx",
            input_names=["image"],
            verbose=False,
            dynamo=dynamo,
        )


def main(
    subnets: Annotated[int, typer.Option(min=1, help="Sub-networks per model.")] = 5,
    file: Annotated[Path | None, typer.Option("--json", help="Also write JSON here.")] = None,
) -> None:
    """Compare extraction with torch.onnx.export on the shipped models."""
    store = ModelStore(default_root())
    rows = [compare(store.open(name), subnets) for name in store.names()]
    show("extraction against torch.onnx.export", rows, file)


if __name__ == "__main__":
    typer.run(main)

"""What a sandwich step costs: against four static networks of the same widths.

``python -m benchmarks.training [RECIPE] [--rounds N]``. Random images and targets of the recipe's
shapes; every round times each kind of step once, in the same process, and medians are shown. On a
GPU if there is one.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Annotated

import numpy as np
import torch
import typer
from torch import Tensor

from benchmarks.output import show
from model_store.subnet.space import Architecture
from training.configs import recipes
from training.engine import Engine, prepared
from training.global_batch import collective_loss, shares_of
from training.loop import build
from training.ranks import Ranks, started
from training.recipe import NetworkConfig, Recipe
from training.sandwich import accumulate_gradients, sandwich
from training.supernet import SuperNet, channels_last

WARM_UP = 2
"""Rounds that are not counted."""


@dataclass(frozen=True)
class Row:
    """The median of a kind of step."""

    step: str
    milliseconds: float
    images_per_second: float
    to_four_static: float
    """Time over that of the four static networks together."""
    to_full_static: float
    """Time over that of the full static network alone."""


Images = tuple[Tensor, dict[str, Tensor]]
"""Normalised images and their targets."""


def noise(config: NetworkConfig, count: int, device: torch.device) -> Images:
    """Normalised images and targets of every task, all labelled."""
    rng = np.random.default_rng(0)
    shape = (count, config.height, config.width)
    targets: dict[str, Tensor] = {}
    for task in config.tasks:
        if task.kind == "depth":
            target = torch.from_numpy(rng.uniform(1.0, 5.0, shape)).float()
        elif task.kind == "normals":
            normals = torch.from_numpy(rng.normal(size=(count, 3, *shape[1:]))).float()
            target = torch.nn.functional.normalize(normals, dim=1)
        else:
            classes = task.outputs if task.kind in ("classification", "segmentation") else 2
            size = (count,) if task.kind == "classification" else shape
            target = torch.from_numpy(rng.integers(0, classes, size))
        targets[task.name] = target.to(device)
    x_NCHW = torch.from_numpy(rng.normal(size=(count, 3, *shape[1:]))).float().to(device)
    return x_NCHW.contiguous(memory_format=torch.channels_last), targets


def static(supernet: SuperNet, architecture: Architecture) -> SuperNet:
    """A network of these widths that slices nothing: a layer's weight is all of its parameter."""
    network = channels_last(supernet.extract(architecture)).to(next(supernet.parameters()).device)
    for _, layer in network.slimmables():
        layer.sliced = lambda name, _, layer=layer: getattr(layer, name)  # type: ignore[method-assign, misc]
    return network


def static_step(network: SuperNet, x_NCHW: Tensor, targets: dict[str, Tensor]) -> None:
    """Forward and backward pass of a static network."""
    with torch.autocast(x_NCHW.device.type, torch.bfloat16):
        raw, _ = network(x_NCHW, network.space.largest())
    tasks = network.config.tasks
    loss, _ = collective_loss(tasks, raw, targets, shares_of(tasks, targets, Ranks()))
    loss.backward()  # type: ignore[no-untyped-call]
    loss.item()


def optimised(network: SuperNet, gradients: Callable[[], object]) -> Callable[[], None]:
    """A whole step: gradients and optimizer."""
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, fused=True)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        gradients()
        optimizer.step()

    return step


def timed(steps: Sequence[Callable[[], None]], rounds: int, device: torch.device) -> list[float]:
    """Median seconds of each step, interleaved."""
    seconds: list[list[float]] = [[] for _ in steps]
    for index in range(WARM_UP + rounds):
        for step, found in zip(steps, seconds, strict=True):
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            start = time.perf_counter()
            step()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            if index >= WARM_UP:
                found.append(time.perf_counter() - start)
    return [median(found) for found in seconds]


def measure(recipe: Recipe, batch_size: int, rounds: int, ranks: Ranks) -> list[Row]:
    """Times a sandwich step and its static networks on the rank's device."""
    x_NCHW, targets = noise(recipe.network, batch_size, ranks.device)
    supernet = prepared(build(recipe), ranks, Engine())
    architectures = sandwich(supernet.space, recipe.training.sandwich, np.random.default_rng(0))
    gradients = partial(
        accumulate_gradients, supernet, x_NCHW, targets, architectures, recipe.training
    )
    statics = [static(supernet, a) for a in architectures]
    steps = [
        optimised(supernet, gradients),
        *(optimised(n, partial(static_step, n, x_NCHW, targets)) for n in statics),
    ]
    step, *alone = timed(steps, rounds, ranks.device)
    named = {"sandwich": step, "static networks, one after the other": sum(alone)}
    named["static network, full width"] = alone[0]
    return [
        Row(name, 1000 * t, batch_size / t, t / sum(alone), t / alone[0])
        for name, t in named.items()
    ]


def main(
    recipe: Annotated[str, typer.Argument(help="A recipe's name.")] = "rooms",
    rounds: Annotated[int, typer.Option(min=1, help="Rounds that are counted.")] = 10,
    batch_size: Annotated[int | None, typer.Option(help="Default: the recipe's.")] = None,
    file: Annotated[Path | None, typer.Option("--json", help="Also write JSON here.")] = None,
) -> None:
    """Print what a step costs."""
    config = recipes()[recipe]()
    images = batch_size or config.training.batch_size
    with started() as ranks:
        rows = measure(config, images, rounds, ranks)
        where = f"{ranks.device.type}, {torch.get_num_threads()} threads"
    show(f"a training step of {recipe}: {images} images, {where}", rows, file)


if __name__ == "__main__":
    typer.run(main)

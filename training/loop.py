"""Training a SuperNet from a recipe, resumable to the same result."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.optim.lr_scheduler import OneCycleLR

from training import checkpoint
from training.data.source import Source, shuffled
from training.evaluate import normalise
from training.pretrained import start_pretrained
from training.recipe import Recipe
from training.sandwich import StepLosses, accumulate_gradients, sandwich
from training.supernet import SuperNet, channels_last, search_space

PARTS = ("seed", "network", "training")
"""What of a recipe a resumed run must share with the run it continues."""


@dataclass(frozen=True)
class EpochReport:
    """Mean losses of one epoch."""

    epoch: int
    epochs: int
    largest: float
    smallest: float
    distillation: float


@dataclass(frozen=True)
class StepReport:
    """Progress within an epoch."""

    epoch: int
    step: int
    steps: int
    losses: StepLosses


def build(recipe: Recipe) -> SuperNet:
    """A SuperNet with the recipe's initial weights: the same for the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        network = SuperNet(recipe.network, search_space(recipe.network))
    return channels_last(network)


def load_network(recipe: Recipe, path: Path) -> SuperNet:
    """The SuperNet of a training checkpoint.

    Raises:
        ValueError: the checkpoint is unreadable or of another recipe.
    """
    state = checkpoint.load(path)
    _check(recipe, "network", state, path)
    network = build(recipe)
    network.load_state_dict(state["network"])
    return network


def _check(recipe: Recipe, part: str, state: dict[str, Any], path: Path) -> None:
    if state["config"][part] != repr(getattr(recipe, part)):
        raise ValueError(
            f"{path} was written with another {part} configuration than that of the recipe "
            f"{recipe.name!r}; use the recipe it was written with, or start in an empty folder"
        )


def train(
    recipe: Recipe,
    data: Source,
    path: Path,
    on_step: Callable[[StepReport], None] = lambda _: None,
    on_epoch: Callable[[EpochReport, SuperNet], None] = lambda _, __: None,
    stop: Callable[[], bool] = lambda: False,
) -> SuperNet:
    """Trains a SuperNet by ECMT's Algorithm 1, from the checkpoint at ``path`` if there is one.

    Everything random in an epoch is drawn from (seed, epoch), so that a resumed run gives the
    same losses as an uninterrupted one.

    Args:
        recipe: the run.
        data: training images.
        path: the checkpoint, written after every epoch.
        on_step: called after every step.
        on_epoch: called after every epoch, with the network.
        stop: asked after every epoch; true ends the run, to be resumed later.
    """
    config = recipe.training
    steps = len(data) // config.batch_size
    if steps < 1:
        raise ValueError(f"{len(data)} images do not fill one batch of {config.batch_size}")
    network = build(recipe)
    network.train()
    optimizer = torch.optim.Adam(
        network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    schedule = OneCycleLR(
        optimizer,
        max_lr=config.learning_rate,
        total_steps=config.epochs * steps,
        pct_start=config.warmup,
        cycle_momentum=False,
    )
    first = 0
    if path.exists():
        state = checkpoint.load(path)
        for part in PARTS:
            _check(recipe, part, state, path)
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        first = state["epoch"]
    else:
        start_pretrained(network.encoder, recipe.network.encoder)
    for epoch in range(first, config.epochs):
        rng = np.random.default_rng([recipe.seed, epoch])
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        reports: list[StepLosses] = []
        for step, batch in enumerate(shuffled(data, config.batch_size, generator)):
            optimizer.zero_grad(set_to_none=True)
            losses = accumulate_gradients(
                network,
                normalise(recipe.network, batch.images_NCHW),
                batch.targets,
                sandwich(network.space, config.sandwich, rng),
                config.distillation,
            )
            optimizer.step()
            schedule.step()
            reports.append(losses)
            on_step(StepReport(epoch, step, steps, losses))
        mean = {k: float(np.mean([asdict(r)[k] for r in reports])) for k in asdict(reports[0])}
        checkpoint.save(
            path,
            {
                "config": {part: repr(getattr(recipe, part)) for part in PARTS},
                "epoch": epoch + 1,
                "network": network.state_dict(),
                "optimizer": optimizer.state_dict(),
                "schedule": schedule.state_dict(),
            },
        )
        on_epoch(EpochReport(epoch + 1, config.epochs, **mean), network)
        if stop():
            break
    return network

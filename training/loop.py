"""Training a SuperNet from a recipe, resumable to the same result."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training import checkpoint
from training.averages import Averages
from training.data.loader import Loader
from training.data.source import Batch, Source
from training.engine import Engine, determinism, prepared
from training.evaluate import normalise, on_device
from training.measure import validation_losses
from training.pretrained import start_pretrained
from training.ranks import Ranks
from training.recipe import Recipe
from training.sandwich import StepLosses, accumulate_gradients, sandwich
from training.schedule import learning_rate
from training.state import TrainingState, check
from training.supernet import SuperNet, channels_last, search_space

BEST = "best.pt"
"""The weights of the lowest validation loss, beside the checkpoint."""

SANDWICH = 3
"""Tells the random numbers of a step's networks from those of its images."""

VALIDATED_EVERY = 5
"""Epochs between validations; the last epoch is validated too."""


@dataclass(frozen=True)
class EpochReport:
    """Mean losses of one epoch."""

    epoch: int
    epochs: int
    largest: float
    smallest: float
    distillation: float
    tasks: dict[str, float]
    """Of the SuperNet, by task."""
    validation: dict[str, float] | None
    """The calibrated SuperNet's on the validation split, by task, if it was validated."""
    best: bool
    """Whether its weighted sum is the lowest so far."""


@dataclass(frozen=True)
class StepReport:
    """Progress within an epoch."""

    epoch: int
    step: int
    steps: int
    losses: StepLosses
    learning_rate: float


def build(recipe: Recipe) -> SuperNet:
    """A SuperNet with the recipe's initial weights: the same for the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        network = SuperNet(recipe.network, search_space(recipe.network))
    return channels_last(network)


def load_network(
    recipe: Recipe,
    path: Path,
    ranks: Ranks = Ranks(),  # noqa: B008 - frozen
) -> SuperNet:
    """The SuperNet of a training checkpoint, which the first rank reads, on each rank's device.

    Whoever measures it on held-out images calls :func:`training.state.check_trained_on`, too.

    Raises:
        ValueError: the checkpoint is unreadable or of another recipe.
    """

    def weights() -> dict[str, Tensor]:
        state = checkpoint.load(path)
        check(recipe, "network", state, path)
        found: dict[str, Tensor] = state["network"]
        return found

    network = build(recipe)
    network.load_state_dict(ranks.from_first(weights))
    return network.to(ranks.device)


def train(
    recipe: Recipe,
    data: Source,
    path: Path,
    on_step: Callable[[StepReport], None] = lambda _: None,
    on_epoch: Callable[[EpochReport, SuperNet], None] = lambda _, __: None,
    stop: Callable[[], bool] = lambda: False,
    validation: Source | None = None,
    ranks: Ranks = Ranks(),  # noqa: B008 - frozen
    engine: Engine = Engine(),  # noqa: B008
) -> SuperNet:
    """Trains a SuperNet by ECMT's Algorithm 1, from the checkpoint at ``path`` if there is one.

    Everything random in a step is drawn from (seed, epoch, step), and batch norm and losses are
    those of the whole batch: a resumed run gives the same losses as an uninterrupted one, and
    any number of ranks the same as one, up to rounding.

    Args:
        recipe: the run.
        data: training images; the same on every rank.
        path: the checkpoint, written by the first rank after every epoch and when stopped. The
            weights of the lowest validation loss are kept beside it (:data:`BEST`).
        on_step: called after every step.
        on_epoch: called after every epoch, with the network.
        stop: asked after every step; true on any rank ends the run, to be resumed later.
        validation: images to validate the full network on; None for none.
        ranks: the processes that train together.
        engine: how the machine is used.

    Raises:
        ValueError: the data do not fill a batch, a batch not the ranks, or the checkpoint is of
            another run.
    """
    config = recipe.training
    if config.batch_size < ranks.count:
        raise ValueError(
            f"a batch of {config.batch_size} images cannot be spread over {ranks.count} ranks"
        )
    loader = Loader(
        data,
        config.batch_size,
        recipe.seed,
        ranks.part(config.batch_size),
        engine.workers,
        pinned=ranks.device.type == "cuda",
    )
    state = TrainingState(recipe, data, prepared(build(recipe), ranks, engine))
    if not state.resume(path, ranks):
        state.weights = start_pretrained(state.network.encoder, recipe.network.encoder)
    with determinism(engine.deterministic):
        while state.epoch < config.epochs:
            stopping = False
            for batch in loader.epoch(state.epoch, state.step):
                report, stopping = _step(state, batch, loader.steps, ranks, stop)
                on_step(report)
                if stopping and state.step < loader.steps:
                    if ranks.first:
                        state.save(path)
                    return state.network
            on_epoch(_end_of_epoch(state, data, validation, path, ranks), state.network)
            if stopping:
                break
    return state.network


def _step(
    state: TrainingState, batch: Batch, steps: int, ranks: Ranks, stop: Callable[[], bool]
) -> tuple[StepReport, bool]:
    """One step of the optimizer, and whether any rank asked to stop."""
    config, network = state.recipe.training, state.network
    rate = learning_rate(config, state.epoch, state.step, steps)
    for group in state.optimizer.param_groups:
        group["lr"] = rate
    state.optimizer.zero_grad(set_to_none=True)
    batch = on_device(batch, ranks.device)
    # All ranks draw the same networks.
    rng = np.random.default_rng([SANDWICH, state.recipe.seed, state.epoch, state.step])
    part = accumulate_gradients(
        network,
        normalise(network.config, batch.images_NCHW),
        batch.targets,
        sandwich(network.space, config.sandwich, rng, config.sampling),
        config,
        ranks,
    )
    *values, stopping = ranks.add_up(network.parameters(), [*part.values(), float(stop())])
    state.optimizer.step()
    losses = part.with_values(values)
    report = StepReport(state.epoch, state.step, steps, losses, rate)
    state.means.add(losses)
    state.step += 1
    return report, stopping > 0


def _end_of_epoch(
    state: TrainingState, data: Source, validation: Source | None, path: Path, ranks: Ranks
) -> EpochReport:
    """Validates where it is time to, and writes the checkpoints."""
    recipe, mean = state.recipe, state.means.mean()
    state.epoch, state.step, state.means = state.epoch + 1, 0, Averages()
    epochs, validated, best = recipe.training.epochs, None, False
    if validation is not None and (state.epoch % VALIDATED_EVERY == 0 or state.epoch == epochs):
        validated = validation_losses(recipe, state.network, data, validation, ranks)
        weights = {t.name: t.weight for t in recipe.network.tasks}
        weighted = sum(weights[name] * loss for name, loss in validated.items())
        best = weighted < state.best
        state.best = weighted if best else state.best
        if best and ranks.first:
            state.save_weights(path.with_name(BEST))
    if ranks.first:
        state.save(path)
    return EpochReport(state.epoch, epochs, **vars(mean), validation=validated, best=best)

"""Measuring sub-networks while the SuperNet is trained, and for its predictor."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from model_store.subnet.space import Architecture
from training.data.source import Source
from training.evaluate import Quality, calibrated, device_of, evaluate, normalise, on_device
from training.ranks import Ranks
from training.recipe import Recipe
from training.set_losses import SetLosses
from training.supernet import SuperNet

BATCH = 64
"""Images that are validated at once."""


def calibration_batch(recipe: Recipe, train: Source) -> Tensor:
    """The training images that sub-networks are calibrated on when they are measured."""
    order = np.random.default_rng(recipe.seed).permutation(len(train))
    chosen = torch.from_numpy(order[: recipe.predictor.calibration_images])
    return train.batch(chosen).images_NCHW


def measurer(
    recipe: Recipe, network: SuperNet, train: Source, validation: Source
) -> Callable[[Architecture], Quality]:
    """Calibrates a sub-network on training images and measures it on the validation split.

    In bfloat16, as in training: what counts is how sub-networks compare, and there are many.
    """
    images_NCHW = calibration_batch(recipe, train)

    def measure(architecture: Architecture) -> Quality:
        with torch.autocast(device_of(network).type, torch.bfloat16):
            return evaluate(calibrated(network, architecture, images_NCHW), validation)

    return measure


@torch.no_grad()
def validation_losses(
    recipe: Recipe, network: SuperNet, train: Source, validation: Source, ranks: Ranks
) -> dict[str, float]:
    """The full network's losses by task, its batches spread over the ranks.

    Each is the mean over the labelled values of the whole set; a task without any has none.
    """
    losses = SetLosses(recipe.network.tasks)
    starts = range(0, len(validation), BATCH)
    with torch.autocast(ranks.device.type, torch.bfloat16):
        full = calibrated(network, network.space.largest(), calibration_batch(recipe, train))
        for start in starts[ranks.rank :: ranks.count]:
            indices_N = torch.arange(start, min(start + BATCH, len(validation)))
            batch = on_device(validation.batch(indices_N), ranks.device)
            x_NCHW = normalise(recipe.network, batch.images_NCHW)
            raw = full(x_NCHW, full.space.largest()).raw
            for task in recipe.network.tasks:
                losses.add(task, raw[task.name], batch.targets[task.name])
    return losses.means(ranks)

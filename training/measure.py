"""Measuring sub-networks while the SuperNet is trained, and for its predictor."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from model_store.subnet.space import Architecture
from training.data.source import Source
from training.evaluate import Quality, calibrated, device_of, evaluate, normalise, on_device
from training.global_batch import labelled
from training.ranks import Ranks
from training.recipe import Recipe
from training.supernet import SuperNet
from training.tasks import task_loss

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
    tasks = recipe.network.tasks
    total, weight = (dict.fromkeys((t.name for t in tasks), 0.0) for _ in range(2))
    starts = range(0, len(validation), BATCH)
    with torch.autocast(ranks.device.type, torch.bfloat16):
        full = calibrated(network, network.space.largest(), calibration_batch(recipe, train))
        for start in starts[ranks.rank :: ranks.count]:
            indices_N = torch.arange(start, min(start + BATCH, len(validation)))
            batch = on_device(validation.batch(indices_N), ranks.device)
            x_NCHW = normalise(recipe.network, batch.images_NCHW)
            raw = full(x_NCHW, full.space.largest()).raw
            for task in tasks:
                target = batch.targets[task.name]
                loss = task_loss(task, raw[task.name], target)
                if loss is not None:
                    count = float(labelled(task, target).sum())
                    total[task.name] += float(loss) * count
                    weight[task.name] += count
    sums = ranks.sums([*total.values(), *weight.values()])
    return {
        task.name: value / count
        for task, value, count in zip(tasks, sums[: len(tasks)], sums[len(tasks) :], strict=True)
        if count
    }

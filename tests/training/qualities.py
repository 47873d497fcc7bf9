"""A quality that sub-networks could have, of which everything is known."""

import numpy as np

from model_store.subnet.space import Architecture, SearchSpace
from tests.training.tiny import classifying
from training.evaluate import Quality
from training.supernet import search_space

TASKS = ("animals", "flowers")
SPACE = search_space(classifying().network)


def truth(space: SearchSpace, architecture: Architecture) -> Quality:
    """Smooth, with diminishing returns; of the decoders, a task sees its own."""
    ratios_G = space.ratios_of(np.array([architecture.channels]))[0]
    losses = {}
    for index, task in enumerate(TASKS):
        weights_G = np.random.default_rng(index).random(len(ratios_G))
        weights_G[[space.decoders[other] for other in TASKS if other != task]] = 0.0
        losses[task] = 0.4 + 2.0 * float(np.exp(-3.0 * ratios_G @ weights_G / weights_G.sum()))
    return Quality(losses, {task: 1.0 - loss / 3.0 for task, loss in losses.items()})

"""The learning rate over a run: functions of the step, which need no state to resume from."""

import math

from training.recipe import TrainingConfig

START = 1 / 25
"""Of the peak, in the first step."""
END = 1 / 250_000
"""Of the peak, in the last step."""
POWER = 0.9
"""Of the polynomial decay (InterroGate A.1, after Vandenhende et al. 2020)."""
FALL_EPOCHS = 20
"""Epochs between the falls of the step schedule (InterroGate A.1)."""
FALL = 1 / 3
"""What it falls to, each time."""


def learning_rate(config: TrainingConfig, epoch: int, step: int, steps: int) -> float:
    """The learning rate of a step.

    Args:
        config: names the schedule.
        epoch: from 0.
        step: of the epoch, from 0.
        steps: of an epoch.
    """
    done, total = epoch * steps + step, config.epochs * steps
    match config.schedule:
        case "one-cycle":
            share = one_cycle(done, total, config.warmup)
        case "poly":
            share = (1 - done / total) ** POWER
        case "step":
            share = FALL ** (epoch // FALL_EPOCHS)
        case "constant":
            share = 1.0
    return config.learning_rate * share


def one_cycle(step: int, steps: int, warmup: float) -> float:
    """The learning rate of a step over its peak: up and down again by half a cosine each.

    The one-cycle schedule of Smith and Topin 2018, with the numbers of
    ``torch.optim.lr_scheduler.OneCycleLR``, and a value for runs that are too short to rise or to
    fall.

    Args:
        step: from 0.
        steps: of the whole run.
        warmup: share of the steps in which it rises.
    """
    peak = warmup * steps - 1
    if peak > 0 and step <= peak:
        return _cosine(START, 1.0, step / peak)
    peak = max(peak, 0.0)
    return _cosine(1.0, END, (step - peak) / (steps - 1 - peak)) if steps - 1 > peak else 1.0


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))

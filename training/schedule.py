"""The learning rate over a run."""

import math

START = 1 / 25
"""Of the peak, in the first step."""
END = 1 / 250_000
"""Of the peak, in the last step."""


def one_cycle(step: int, steps: int, warmup: float) -> float:
    """The learning rate of a step over its peak: up and down again by half a cosine each.

    The one-cycle schedule of Smith and Topin 2018, with the numbers of
    ``torch.optim.lr_scheduler.OneCycleLR``; as a function, it needs no state to resume from, and
    it has a value for runs that are too short to rise or to fall.

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

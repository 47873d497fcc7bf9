"""Loss weights: the tasks' own, or such that what counts is how much of its loss a task sheds.

In a weighted sum, what a task counts for depends on the unit of its loss. A geometric mean does not
care: halving any loss is worth the same.
"""

from collections.abc import Mapping

import torch
from torch import Tensor
from torchjd.scalarization import GeometricMean

from training.ranks import Ranks
from training.recipe import Weighting

LEAST = 1e-3
"""Losses below count as this: a task that is solved must not take over."""


def loss_weights(
    weighting: Weighting,
    rho: Mapping[str, float],
    losses: Mapping[str, Tensor],
    ranks: Ranks = Ranks(),  # noqa: B008 - frozen
) -> dict[str, float]:
    """What each task's loss is multiplied by in this step.

    For the geometric mean, its derivatives ρ_n / L_n, scaled to the sum of the ρ_n: how strong
    weight decay and distillation are beside the tasks stays as it is.

    Args:
        weighting: how tasks are weighted.
        rho: the weights ρ_n by task.
        losses: this rank's parts of the losses of the SuperNet, of tasks that have ground truth in
            the batch. Every network of the sandwich is trained with the weights that follow, so
            that all pursue the same aim.
        ranks: the processes that the batch is spread over; for the geometric mean, all call this
            together.

    Returns:
        Weights by task, of those that have a loss.
    """
    fixed = {name: rho[name] for name in losses}
    if weighting == "fixed" or not losses:
        return fixed
    whole = ranks.sums(torch.stack(list(losses.values())).tolist())
    losses_N = torch.tensor(whole, dtype=torch.float64).clamp(min=LEAST).requires_grad_()
    rho_N = torch.tensor(list(fixed.values()), dtype=torch.float64)
    mean = GeometricMean()(losses_N ** (rho_N / rho_N.mean()))
    (weights_N,) = torch.autograd.grad(mean, losses_N)
    scaled_N = weights_N * (rho_N.sum() / weights_N.sum())
    return dict(zip(fixed, scaled_N.tolist(), strict=True))

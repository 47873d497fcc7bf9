"""One step of ECMT training: the sandwich rule with configuration-invariant distillation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from model_store.subnet.space import Architecture, SearchSpace
from training.supernet import SuperNet
from training.tasks import multi_task_loss


@dataclass(frozen=True)
class StepLosses:
    """The losses of one step."""

    largest: float
    """L_co of the SuperNet."""
    smallest: float
    """L_co of the smallest sub-network."""
    distillation: float
    """L_kd (Eq. 3), before its weight λ."""


def sandwich(space: SearchSpace, b: int, rng: np.random.Generator) -> list[Architecture]:
    """The b networks of a step: the largest, b - 2 random non-uniform ones, the smallest.

    Algorithm 1 says b - 1 random ones and Sec. 4.1 says b - 2; with the smallest and the largest
    the latter makes b.
    """
    return [space.largest(), *(space.random(rng) for _ in range(b - 2)), space.smallest()]


def ci_kd(z_NCHW: Tensor, child_NCHW: Tensor) -> Tensor:
    """One term of the CI-KD loss (Eq. 3): MSE of channel-averaged features.

    Args:
        z_NCHW: the SuperNet's encoder features, detached.
        child_NCHW: a sub-network's encoder features, with any number of channels.
    """
    return F.mse_loss(child_NCHW.float().mean(dim=1), z_NCHW.float().mean(dim=1))


def accumulate_gradients(
    supernet: SuperNet,
    x_NCHW: Tensor,
    targets: dict[str, Tensor],
    architectures: Sequence[Architecture],
    distillation: float,
) -> StepLosses:
    """Algorithm 1, lines 4 to 14: one backward pass for each network of the sandwich.

    Args:
        supernet: the network, whose gradients are added to.
        x_NCHW: normalised images.
        targets: ground truth by task.
        architectures: from :func:`sandwich`; the first is the largest, the last the smallest.
        distillation: the weight λ of CI-KD.
    """
    tasks = supernet.config.tasks
    bfloat16 = torch.autocast(x_NCHW.device.type, torch.bfloat16)
    with bfloat16:
        raw, z = supernet(x_NCHW, architectures[0])
    largest, _ = multi_task_loss(tasks, raw, targets)
    largest.backward()  # type: ignore[no-untyped-call]
    z, smallest, distilled = z.detach(), largest, 0.0
    for child in architectures[1:]:
        with bfloat16:
            raw, child_z = supernet(x_NCHW, child)
        collective, _ = multi_task_loss(tasks, raw, targets)
        kd = ci_kd(z, child_z) / (len(architectures) - 1)
        (collective + distillation * kd).backward()  # type: ignore[no-untyped-call]
        distilled += kd.item()
        smallest = collective
    return StepLosses(largest.item(), smallest.item(), distilled)

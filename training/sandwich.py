"""One step of ECMT training: the sandwich rule with configuration-invariant distillation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from model_store.subnet.space import Architecture, SearchSpace
from training.distillation import ci_kd
from training.global_batch import collective_loss, shares_of
from training.ranks import Ranks
from training.recipe import Sampling, TrainingConfig
from training.supernet import SuperNet


@dataclass(frozen=True)
class StepLosses:
    """The losses of one step."""

    largest: float
    """L_co of the SuperNet."""
    smallest: float
    """L_co of the smallest sub-network."""
    distillation: float
    """L_kd (Eq. 3), before its weight λ."""
    tasks: dict[str, float]
    """L_n of the SuperNet, by task, of those that have ground truth in the batch."""

    def values(self) -> list[float]:
        """The numbers, in an order that :meth:`with_values` reads."""
        return [self.largest, self.smallest, self.distillation, *self.tasks.values()]

    def with_values(self, values: Sequence[float]) -> "StepLosses":
        """The same losses with other numbers."""
        largest, smallest, distillation, *tasks = values
        named = dict(zip(self.tasks, tasks, strict=True))
        return StepLosses(largest, smallest, distillation, named)


def sandwich(
    space: SearchSpace, b: int, rng: np.random.Generator, sampling: Sampling = "independent"
) -> list[Architecture]:
    """The b networks of a step: the largest, b - 2 random non-uniform ones, the smallest.

    Algorithm 1 says b - 1 random ones and Sec. 4.1 says b - 2; with the smallest and the largest
    the latter makes b. A static network is a sandwich of the largest alone.

    Args:
        space: the search space.
        b: networks per step.
        rng: draws the random ones.
        sampling: ``independent`` draws every width by itself, as the paper does; ``stratified``
            see :func:`stratified`.
    """
    if b == 1:
        return [space.largest()]
    draw = stratified if sampling == "stratified" else SearchSpace.random
    return [space.largest(), *(draw(space, rng) for _ in range(b - 2)), space.smallest()]


def stratified(space: SearchSpace, rng: np.random.Generator) -> Architecture:
    """A sub-network such as dials ask for: an encoder of any size, and decoders of any widths.

    Widths drawn independently make encoders that all cost about the same, as a sum of many draws
    does. Those that nearly fill the full budget, or keep to a small one, would be searched but
    hardly ever trained. So an encoder draws a level u ~ U(0, 1) first, then every group's choice
    from the binomial distribution around it. Decoders are drawn independently, as preferences set
    them.
    """
    choices_G = rng.binomial(space.choices_G - 1, rng.random())
    decoders = list(space.decoders.values())
    choices_G[decoders] = rng.integers(space.choices_G[decoders])
    return space.architecture(choices_G)


def accumulate_gradients(
    supernet: SuperNet,
    x_NCHW: Tensor,
    targets: dict[str, Tensor],
    architectures: Sequence[Architecture],
    config: TrainingConfig,
    ranks: Ranks = Ranks(),  # noqa: B008 - frozen
) -> StepLosses:
    """Algorithm 1, lines 4 to 14: one backward pass for each network of the sandwich.

    Args:
        supernet: the network, whose gradients are added to.
        x_NCHW: normalised images; of several ranks, each has its part of the batch.
        targets: ground truth by task.
        architectures: from :func:`sandwich`; the first is the largest, the last the smallest.
        config: the weight of the distillation loss.
        ranks: the processes that the batch is spread over.

    Returns:
        The losses; of several ranks, parts that add up to those of the whole batch, as the
        gradients do.
    """
    tasks = supernet.config.tasks
    shares = shares_of(tasks, targets, ranks)
    bfloat16 = torch.autocast(x_NCHW.device.type, torch.bfloat16)
    with bfloat16:
        raw, z = supernet(x_NCHW, architectures[0])
    largest, by_task = collective_loss(tasks, raw, targets, shares)
    largest.backward()  # type: ignore[no-untyped-call]
    z, smallest, distilled = z.detach(), largest, torch.zeros_like(largest)
    for child in architectures[1:]:
        with bfloat16:
            raw, child_z = supernet(x_NCHW, child)
        collective, _ = collective_loss(tasks, raw, targets, shares)
        kd = ci_kd(z, child_z) * (shares.images / (len(architectures) - 1))
        loss = collective + config.distillation * kd
        loss.backward()  # type: ignore[no-untyped-call]
        distilled += kd.detach()
        smallest = collective
    # Read once, at the end: every reading waits for the GPU.
    losses = StepLosses(0.0, 0.0, 0.0, dict.fromkeys(by_task, 0.0))
    values = torch.stack([largest, smallest, distilled, *by_task.values()])
    return losses.with_values(values.tolist())

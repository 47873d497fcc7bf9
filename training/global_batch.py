"""Losses of a batch that is spread over the ranks: parts that add up to the whole batch's.

A task's loss is a mean over its labelled values, of which ranks have different numbers: the mean of
the ranks' means is another number than the mean over the batch. So each rank's mean is weighted by
its share of the labels, and the sum over the ranks is the loss of the whole batch, exactly. The
gradients add up likewise.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from training.ranks import Ranks
from training.tasks import IGNORE, Task, task_loss


@dataclass(frozen=True)
class Share:
    """What this rank has of a batch's ground truth for one task."""

    labels: float
    """Its labelled values over those of all ranks, in [0, 1]."""
    positive: float
    """Positive values over labelled ones in the whole batch, which saliency is balanced by."""


@dataclass(frozen=True)
class Shares:
    """What this rank has of a batch."""

    images: float
    """Its images over those of all ranks."""
    tasks: dict[str, Share]
    """By task, those that have ground truth on any rank."""


def labelled(task: Task, target: Tensor) -> Tensor:
    """Where a target is ground truth: boolean, by image or by pixel."""
    if task.kind == "depth":
        return target > 0
    if task.kind == "normals":
        return target.abs().sum(dim=1) > 0
    return target != IGNORE


def shares_of(tasks: tuple[Task, ...], targets: Mapping[str, Tensor], ranks: Ranks) -> Shares:
    """Compares what this rank has of a batch with the whole. All ranks call this together."""
    counts: list[Tensor] = []
    for task in tasks:
        valid = labelled(task, targets[task.name])
        positive = (
            valid.sum() if task.kind == "normals" else (valid & (targets[task.name] > 0)).sum()
        )
        counts += [valid.sum(), positive]
    images = len(next(iter(targets.values())))
    mine = [float(images), *torch.stack(counts).tolist()]
    total = ranks.sums(mine)
    found: dict[str, Share] = {}
    for task, own, valid_count, positive_count in zip(
        tasks, mine[1::2], total[1::2], total[2::2], strict=True
    ):
        if valid_count:
            found[task.name] = Share(own / valid_count, positive_count / valid_count)
    return Shares(images / total[0], found)


def collective_loss(
    tasks: tuple[Task, ...],
    raw: Mapping[str, Tensor],
    targets: Mapping[str, Tensor],
    shares: Shares,
) -> tuple[Tensor, dict[str, Tensor]]:
    """This rank's part of L_co = Σ ρ_n L_n (Eq. 1) over the tasks that have ground truth.

    Returns:
        The weighted sum, and the unweighted parts by task. Where no task has ground truth the sum
        is a zero that can still be differentiated.
    """
    parts: dict[str, Tensor] = {}
    for task in tasks:
        share = shares.tasks.get(task.name)
        if share is None:
            continue
        output = raw[task.name]
        loss = task_loss(task, output, targets[task.name], share.positive)
        # Without labels here but elsewhere, the backward pass must still run: it synchronises.
        parts[task.name] = (
            output.float().flatten()[:0].sum() if loss is None else loss * share.labels
        )
    if not parts:
        return torch.stack([output.flatten()[:0].sum() for output in raw.values()]).sum(), parts
    total = torch.stack([t.weight * parts[t.name] for t in tasks if t.name in parts]).sum()
    return total, parts

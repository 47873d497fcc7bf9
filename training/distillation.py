"""What sub-networks learn from the SuperNet: its features (CI-KD, Eq. 3) and its predictions."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from training.global_batch import Shares, labelled
from training.tasks import Task


def ci_kd(z_NCHW: Tensor, child_NCHW: Tensor) -> Tensor:
    """One term of the CI-KD loss (Eq. 3): MSE of channel-averaged features.

    Args:
        z_NCHW: the SuperNet's encoder features, detached.
        child_NCHW: a sub-network's encoder features, with any number of channels.
    """
    return F.mse_loss(child_NCHW.float().mean(dim=1), z_NCHW.float().mean(dim=1))


def prediction_distillation(
    tasks: Sequence[Task],
    teacher: Mapping[str, Tensor],
    child: Mapping[str, Tensor],
    targets: Mapping[str, Tensor],
    shares: Shares,
) -> Tensor:
    """How far a sub-network's predictions are from the SuperNet's: Σ ρ_n D_n.

    In-place distillation (Yu and Huang 2019, https://arxiv.org/abs/1903.05134), for every kind of
    task. D_n is the Kullback-Leibler divergence of class probabilities (for edges and saliency, of
    the two classes of a pixel), L1 of log depth or L1 of unit normals; a mean over images or
    pixels. An image without a label for a classification task is left out of it: the SuperNet's
    answer there means nothing.

    Args:
        tasks: the tasks.
        teacher: the SuperNet's raw outputs by task, detached.
        child: the sub-network's raw outputs, of the same shapes.
        targets: ground truth by task.
        shares: what this rank has of the batch.

    Returns:
        This rank's part of the sum over the whole batch.
    """
    parts = [
        task.weight
        * _divergence(task, teacher[task.name], child[task.name], targets[task.name])
        * (shares.tasks[task.name].labels if task.kind == "classification" else shares.images)
        for task in tasks
        if task.name in shares.tasks
    ]
    return torch.stack(parts).sum() if parts else torch.zeros(())


def _divergence(task: Task, teacher: Tensor, child: Tensor, target: Tensor) -> Tensor:
    teacher, child = teacher.float(), child.float()
    if task.kind == "classification":
        valid = labelled(task, target)
        # A sum, so that of no image it is a zero that can be differentiated.
        total = _kl(teacher[valid], child[valid]).sum()
        return total / valid.sum().clamp(min=1)
    if task.kind == "segmentation":
        return _kl(teacher, child).mean()
    if task.kind == "depth":
        return F.l1_loss(child, teacher)
    if task.kind == "normals":
        return F.l1_loss(F.normalize(child, dim=1), F.normalize(teacher, dim=1))
    two_classes = (torch.cat([torch.zeros_like(raw), raw], dim=1) for raw in (teacher, child))
    return _kl(*two_classes).mean()


def _kl(teacher: Tensor, child: Tensor) -> Tensor:
    """KL(teacher || child) of logits over dimension 1."""
    log_p, log_q = teacher.log_softmax(dim=1), child.log_softmax(dim=1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=1)

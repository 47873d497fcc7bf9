"""Batch norm whose batch is spread over the ranks."""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

DIMS = (0, 2, 3)
"""What statistics are taken over: everything but the channels."""


class _SynchronisedBatchNorm(torch.autograd.Function):
    """y = (x - μ) / σ * γ + β, with mean and biased variance over the images of all ranks.

    Not torch.nn.SyncBatchNorm, which only runs on CUDA: this is the same on gloo and NCCL, so that
    what runs on GPUs is what the tests run. Gradients of γ and β stay this rank's part, as those
    of all other parameters do; the sum over the ranks comes after the step's passes.
    """

    @staticmethod
    def forward(ctx: Any, x_NCHW: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:  # noqa: ANN401 - torch's context
        wide = x_NCHW.to(weight.dtype)
        variance_C, mean_C = torch.var_mean(wide, dim=DIMS, correction=0)
        n = wide.numel() // wide.shape[1]
        mine = torch.cat([mean_C, variance_C, mean_C.new_tensor([n])])
        gathered = [torch.empty_like(mine) for _ in range(dist.get_world_size())]
        dist.all_gather(gathered, mine)
        # Not sums of squares, which would cancel where the mean is far from zero.
        c = len(mean_C)
        mean_RC, variance_RC, n_R1 = torch.split(torch.stack(gathered), [c, c, 1], dim=1)
        share_R1 = n_R1 / n_R1.sum()
        mean_C = (share_R1 * mean_RC).sum(0)
        variance_C = (share_R1 * (variance_RC + (mean_RC - mean_C) ** 2)).sum(0)
        ctx.save_for_backward(x_NCHW, weight, mean_C, (variance_C + eps).rsqrt(), n_R1.sum())
        return torch.nn.functional.batch_norm(
            x_NCHW, mean_C, variance_C, weight, bias, training=False, eps=eps
        )

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        """With x̂ = (x - μ) / σ: dx = γ/σ (dy - mean(dy) - x̂ mean(dy x̂)), means over all ranks."""
        x_NCHW, weight, mean_C, scale_C, n = ctx.saved_tensors

        def channels(values_C: Tensor) -> Tensor:
            return values_C.view(1, -1, 1, 1)

        dy = gradients[0].to(weight.dtype)
        normal = (x_NCHW.to(weight.dtype) - channels(mean_C)) * channels(scale_C)
        sums = torch.stack([dy.sum(dim=DIMS), (dy * normal).sum(dim=DIMS)])
        bias_gradient, weight_gradient = sums.clone()
        dist.all_reduce(sums)
        mean_dy_C, mean_dyx_C = sums / n
        dx = (dy - channels(mean_dy_C) - normal * channels(mean_dyx_C)) * channels(weight * scale_C)
        return dx.to(x_NCHW.dtype), weight_gradient, bias_gradient, None


def synchronised_batch_norm(x_NCHW: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """Normalises with the statistics of what all ranks hold of a batch.

    Args:
        x_NCHW: this rank's images or features; every rank calls this in the same order.
        weight: scale γ [C].
        bias: shift β [C].
        eps: added to the variance.
    """
    y_NCHW: Tensor = _SynchronisedBatchNorm.apply(x_NCHW, weight, bias, eps)  # type: ignore[no-untyped-call]
    return y_NCHW

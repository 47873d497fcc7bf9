"""Batch-norm statistics of an extracted sub-network, in PyTorch."""

from collections.abc import Iterable

import torch
from torch import Tensor

from training.layers import SlimmableBatchNorm2d
from training.supernet import SuperNet


def calibrate(subnet: SuperNet, batches_NCHW: Iterable[Tensor]) -> None:
    """Gives an extracted sub-network its batch-norm statistics (ECMT Sec. 5).

    Every batch is normalised with its own statistics on the way, as in training. Sums and sums
    of squares are accumulated over the batches in float64, so that the spread between batches is
    kept; variances are biased, as the normalisation of training is.

    Args:
        subnet: from :meth:`SuperNet.extract`; never the shared network.
        batches_NCHW: normalised images.
    """
    norms = [m for m in subnet.modules() if isinstance(m, SlimmableBatchNorm2d)]
    for norm in norms:
        norm.running_mean = norm.running_var = None
    count = dict.fromkeys(norms, 0)
    total: dict[SlimmableBatchNorm2d, Tensor] = {}
    squares: dict[SlimmableBatchNorm2d, Tensor] = {}

    def accumulate(norm: SlimmableBatchNorm2d, inputs: tuple[Tensor, ...]) -> None:
        x_NCHW = inputs[0].float()
        n = x_NCHW.numel() // x_NCHW.shape[1]
        variance, mean = torch.var_mean(x_NCHW, dim=(0, 2, 3), correction=0)
        mean, variance = mean.double(), variance.double()
        count[norm] += n
        total[norm] = total.get(norm, 0) + n * mean
        squares[norm] = squares.get(norm, 0) + n * (variance + mean**2)

    hooks = [norm.register_forward_pre_hook(accumulate) for norm in norms]
    architecture = subnet.space.largest()
    with torch.no_grad():
        for x_NCHW in batches_NCHW:
            subnet(x_NCHW, architecture)
    for hook in hooks:
        hook.remove()
    for norm in norms:
        mean = total[norm] / count[norm]
        norm.running_mean = mean.float()
        norm.running_var = (squares[norm] / count[norm] - mean**2).clamp(min=0).float()

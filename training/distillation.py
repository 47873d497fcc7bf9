"""What sub-networks learn from the SuperNet: its features (CI-KD, Eq. 3)."""

import torch.nn.functional as F
from torch import Tensor


def ci_kd(z_NCHW: Tensor, child_NCHW: Tensor) -> Tensor:
    """One term of the CI-KD loss (Eq. 3): MSE of channel-averaged features.

    Args:
        z_NCHW: the SuperNet's encoder features, detached.
        child_NCHW: a sub-network's encoder features, with any number of channels.
    """
    return F.mse_loss(child_NCHW.float().mean(dim=1), z_NCHW.float().mean(dim=1))

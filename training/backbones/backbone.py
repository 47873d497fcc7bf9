"""What every slimmable encoder gives to its decoders."""

from typing import NamedTuple

from torch import Tensor, nn

from model_store.subnet.slicing import Dim
from model_store.subnet.space import Architecture


class Features(NamedTuple):
    """Encoder features."""

    z_NCHW: Tensor
    """The deepest features z, which CI-KD compares and every decoder reads."""
    low_level_NCHW: Tensor
    """Features of an early stage, for decoders that restore detail."""


class Backbone(nn.Module):
    """A slimmable encoder."""

    outputs: Dim
    """The groups of the deepest features."""
    low_level: Dim
    """The groups of the low-level features."""

    def forward(self, x_NCHW: Tensor, architecture: Architecture) -> Features:
        """Encodes normalised images [N, 3, H, W]."""
        raise NotImplementedError

"""What every slimmable encoder gives to its decoders."""

from collections.abc import Mapping
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
    output_stride: int
    """Input resolution over that of the deepest features."""
    low_level_stride: int
    """Input resolution over that of the low-level features."""

    def published_names(self) -> Mapping[str, str]:
        """Parameter name here to its name in the state dict of the published classifier.

        Raises:
            ValueError: no weights are published for this encoder.
        """
        raise ValueError(f"no pretrained weights are published for {type(self).__name__}")

    def forward(self, x_NCHW: Tensor, architecture: Architecture) -> Features:
        """Encodes normalised images [N, 3, H, W]."""
        raise NotImplementedError


def parameter_names(modules: Mapping[str, str]) -> dict[str, str]:
    """Parameter names from module names, of which those ending in ``norm`` are batch norms."""
    return {
        f"{here}.{parameter}": f"{there}.{parameter}"
        for here, there in modules.items()
        for parameter in (("weight", "bias") if here.endswith("norm") else ("weight",))
    }

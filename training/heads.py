"""Slimmable task decoders. The width of each is one group of the search space."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model_store.subnet.slicing import Dim
from model_store.subnet.space import Architecture
from training.backbones import Features
from training.layers import ConvBatchNorm, SlimmableConv2d, SlimmableLinear


class LinearHead(nn.Module):
    """Max-pooled features to class logits (ECMT for CIFAR-100).

    A linear layer has no hidden width: its decoder width is how many leading features it reads.
    """

    def __init__(self, full: Mapping[str, int], decoder: str, classes: int) -> None:
        super().__init__()
        self.linear = SlimmableLinear(full, (decoder,), (classes,))

    def forward(self, features: Features, architecture: Architecture) -> Tensor:
        """Logits [N, classes]."""
        logits_NC: Tensor = self.linear(features.z_NCHW.amax(dim=(2, 3)), architecture)
        return logits_NC


class Aspp(nn.Module):
    """Atrous spatial pyramid pooling (Chen et al. 2017).

    {1x1, a 3x3 for each rate, image pooling + 1x1}, each to C channels, then project (k + 2)C -> C
    for k rates. C is the decoder's width.

    Args:
        full: group name to channel count at full width.
        features: the groups of the encoder's features.
        decoder: the group of this decoder's width.
        rates: dilation rates of the 3x3 convolutions.
        pooled: resolution (height, width) of the features, to which image pooling is restored.
    """

    def __init__(
        self,
        full: Mapping[str, int],
        features: Dim,
        decoder: str,
        rates: Sequence[int],
        pooled: tuple[int, int],
    ) -> None:
        super().__init__()
        c: Dim = (decoder,)
        relu = nn.ReLU()
        self.pooled = pooled
        self.pointwise = ConvBatchNorm(full, features, c, activation=relu)
        self.atrous = nn.ModuleList(
            [ConvBatchNorm(full, features, c, 3, dilation=r, activation=relu) for r in rates]
        )
        self.pooling = ConvBatchNorm(full, features, c, activation=relu)
        self.project = ConvBatchNorm(full, c * (len(rates) + 2), c, activation=relu)

    def pyramid(self, z_NCHW: Tensor, architecture: Architecture) -> Tensor:
        """Encoder features to C channels at the same resolution."""
        pooled = self.pooling(z_NCHW.mean(dim=(2, 3), keepdim=True), architecture)
        # By scale, not by size: a size would bake the channel count into the exported graph.
        scale = (float(self.pooled[0]), float(self.pooled[1]))
        branches = [
            self.pointwise(z_NCHW, architecture),
            *(branch(z_NCHW, architecture) for branch in self.atrous),
            F.interpolate(pooled, scale_factor=scale, mode="nearest"),
        ]
        x_NCHW: Tensor = self.project(torch.cat(branches, dim=1), architecture)
        return x_NCHW


class PlainDeepLabV3Head(Aspp):
    """The published DeepLabv3 head: ASPP, 3x3 C -> C, 1x1 to the outputs.

    With rates 12, 24 and 36 it is the head whose cost the ECMT paper reports.

    Args:
        full: group name to channel count at full width.
        features: the groups of the encoder's features.
        decoder: the group of this decoder's width C.
        outputs: output channels.
        rates: see :class:`Aspp`.
        pooled: see :class:`Aspp`.
    """

    def __init__(
        self,
        full: Mapping[str, int],
        features: Dim,
        decoder: str,
        outputs: int,
        rates: Sequence[int],
        pooled: tuple[int, int],
    ) -> None:
        super().__init__(full, features, decoder, rates, pooled)
        c: Dim = (decoder,)
        self.refine = ConvBatchNorm(full, c, c, 3, activation=nn.ReLU())
        self.classify = SlimmableConv2d(full, c, (outputs,), bias=True)

    def forward(self, features: Features, architecture: Architecture) -> Tensor:
        """Raw outputs [N, outputs, h, w] at the resolution of the deepest features."""
        x = self.pyramid(features.z_NCHW, architecture)
        raw_NCHW: Tensor = self.classify(self.refine(x, architecture), architecture)
        return raw_NCHW


class DeepLabV3Head(Aspp):
    """The DeepLabv3 head with a low-level skip and sub-pixel output.

    ASPP, then upsample to the low-level features' resolution and join them (DeepLabv3+, Chen et
    al. 2018), 3x3 to C, and 1x1 to the outputs at twice that resolution (sub-pixel convolution,
    Shi et al. 2016).

    Args:
        full: group name to channel count at full width.
        features: the groups of the encoder's features.
        low_level: the groups of the low-level features.
        decoder: the group of this decoder's width C.
        outputs: output channels.
        rates: see :class:`Aspp`.
        scale: resolution of the low-level features over that of the features.
        pooled: see :class:`Aspp`.
    """

    def __init__(
        self,
        full: Mapping[str, int],
        features: Dim,
        low_level: Dim,
        decoder: str,
        outputs: int,
        rates: Sequence[int],
        scale: int,
        pooled: tuple[int, int],
    ) -> None:
        super().__init__(full, features, decoder, rates, pooled)
        c: Dim = (decoder,)
        self.scale = scale
        self.refine = ConvBatchNorm(full, c + low_level, c, 3, activation=nn.ReLU())
        self.classify = SlimmableConv2d(full, c, (4 * outputs,), bias=True)

    def forward(self, features: Features, architecture: Architecture) -> Tensor:
        """Raw outputs [N, outputs, h, w] at twice the low-level features' resolution."""
        x = self.pyramid(features.z_NCHW, architecture)
        x = F.interpolate(x, scale_factor=float(self.scale), mode="bilinear", align_corners=False)
        x = torch.cat([x, features.low_level_NCHW], dim=1)
        x = self.classify(self.refine(x, architecture), architecture)
        return F.pixel_shuffle(x, 2)

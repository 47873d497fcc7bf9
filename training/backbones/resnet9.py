"""ResNet-9 (the cifar10-fast topology) for 32x32 images."""

from collections.abc import Mapping, Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from model_store.subnet.space import Architecture, Group
from training.backbones.backbone import Backbone, Features
from training.layers import ConvBatchNorm


class ResNet9(Backbone):
    """prep, layer1 + residual, layer2, layer3 + residual, each 3x3; ECMT Sec. 5 for CIFAR-100.

    Base width 28 with 20 five-way linear heads is 73.05 MMACs at 32x32; the paper reports 72.92.
    """

    outputs = ("layer3",)
    low_level = ("layer1",)
    output_stride = 8
    low_level_stride = 2

    @staticmethod
    def groups(width: int, ratios: Sequence[float], divisor: int) -> tuple[Group, ...]:
        """The encoder's groups: a residual block's hidden width is its own group."""
        widths = {
            "prep": width,
            "layer1": 2 * width,
            "layer1.hidden": 2 * width,
            "layer2": 4 * width,
            "layer3": 8 * width,
            "layer3.hidden": 8 * width,
        }
        return tuple(Group.of(name, full, ratios, divisor) for name, full in widths.items())

    def __init__(self, full: Mapping[str, int]) -> None:
        super().__init__()

        def conv(inputs: str | int, outputs: str) -> ConvBatchNorm:
            return ConvBatchNorm(full, (inputs,), (outputs,), kernel=3, activation=nn.ReLU())

        self.prep = conv(3, "prep")
        self.layer1 = conv("prep", "layer1")
        self.residual1 = nn.ModuleList(
            [conv("layer1", "layer1.hidden"), conv("layer1.hidden", "layer1")]
        )
        self.layer2 = conv("layer1", "layer2")
        self.layer3 = conv("layer2", "layer3")
        self.residual3 = nn.ModuleList(
            [conv("layer3", "layer3.hidden"), conv("layer3.hidden", "layer3")]
        )

    def forward(self, x_NCHW: Tensor, architecture: Architecture) -> Features:
        """Images [N, 3, H, W] to features [N, C, H / 8, W / 8]."""
        x = self.prep(x_NCHW, architecture)
        x = F.max_pool2d(self.layer1(x, architecture), 2)
        low_level = x = x + _chain(self.residual1, x, architecture)
        x = F.max_pool2d(self.layer2(x, architecture), 2)
        x = F.max_pool2d(self.layer3(x, architecture), 2)
        return Features(x + _chain(self.residual3, x, architecture), low_level)


def _chain(blocks: nn.ModuleList, x: Tensor, architecture: Architecture) -> Tensor:
    for block in blocks:
        x = block(x, architecture)
    return x

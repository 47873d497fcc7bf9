"""MobileNetV2 without its final 1280-channel convolution."""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from model_store.subnet.space import Architecture, Group
from training.backbones.backbone import Backbone, Features, parameter_names
from training.backbones.inverted_residual import (
    InvertedResidual,
    Stage,
    blocks_of,
    check_output_stride,
    groups_of,
)
from training.layers import ConvBatchNorm

STEM = 32

# Sandler et al. 2018, Table 2
STAGES = (
    Stage(1, 16, 1, 1),
    Stage(6, 24, 2, 2),
    Stage(6, 32, 3, 2),
    Stage(6, 64, 4, 2),
    Stage(6, 96, 3, 1),
    Stage(6, 160, 3, 2),
    Stage(6, 320, 1, 1),
)


class MobileNetV2(Backbone):
    """Inverted residuals (Sandler et al. 2018), ECMT's encoder for PASCAL-Context.

    Stages beyond the output stride keep their resolution; the ASPP that follows dilates. The
    residual stream of a stage is one group, the expanded width of each block another; the
    depthwise convolution follows the expanded width.
    """

    outputs = ("stage7",)
    low_level = ("stage2",)
    low_level_stride = 4

    @staticmethod
    def groups(ratios: Sequence[float], divisor: int) -> tuple[Group, ...]:
        """The encoder's groups, in the order in which an image passes them."""
        return groups_of(STAGES, STEM, ratios, divisor)

    def __init__(self, full: Mapping[str, int], output_stride: int = 16) -> None:
        super().__init__()
        check_output_stride(output_stride)
        self.output_stride = output_stride
        self.stem = ConvBatchNorm(full, (3,), ("stem",), 3, stride=2, activation=nn.ReLU6())
        self.blocks = nn.ModuleDict(
            {
                block.name.replace(".", "_"): InvertedResidual(full, block)
                for block, _, _ in blocks_of(STAGES, output_stride, STEM)
            }
        )

    def published_names(self) -> Mapping[str, str]:
        """Torchvision's names: a block is features.K.conv, a list without names of its own."""
        modules = {"stem.conv": "features.0.0", "stem.norm": "features.0.1"}
        for position, (name, block) in enumerate(self.blocks.items(), start=1):
            here, there = f"blocks.{name}", f"features.{position}.conv"
            layers = ["depthwise"] if block.expand is None else ["expand", "depthwise"]
            for index, layer in enumerate(layers):
                modules[f"{here}.{layer}.conv"] = f"{there}.{index}.0"
                modules[f"{here}.{layer}.norm"] = f"{there}.{index}.1"
            modules[f"{here}.project.conv"] = f"{there}.{len(layers)}"
            modules[f"{here}.project.norm"] = f"{there}.{len(layers) + 1}"
        return parameter_names(modules)

    def forward(self, x_NCHW: Tensor, architecture: Architecture) -> Features:
        """Images [N, 3, H, W] to features at the output stride, and at stride 4."""
        x = low_level = self.stem(x_NCHW, architecture)
        for name, block in self.blocks.items():
            x = block(x, architecture)
            if name.startswith("stage2"):
                low_level = x
        return Features(x, low_level)

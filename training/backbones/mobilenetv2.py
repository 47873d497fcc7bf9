"""MobileNetV2 without its final 1280-channel convolution."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from torch import Tensor, nn

from model_store.subnet.space import Architecture, Group
from training.backbones.backbone import Backbone, Features
from training.layers import ConvBatchNorm


class Block(NamedTuple):
    """One inverted residual by the names of its groups."""

    name: str
    inputs: str
    expanded: str
    outputs: str
    stride: int


# (expansion, channels, blocks, stride): Sandler et al. 2018, Table 2
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def _blocks(output_stride: int) -> Iterator[tuple[Block, int, int]]:
    """Every block with its expanded and its output width."""
    inputs, c_in, reached = "stem", 32, 2
    for stage, (expansion, c_out, count, stage_stride) in enumerate(STAGES, start=1):
        outputs = f"stage{stage}"
        stride = stage_stride if reached * stage_stride <= output_stride else 1
        reached *= stride
        for i in range(count):
            name = f"stage{stage}.{i}"
            expanded = inputs if expansion == 1 else f"{name}.expanded"
            block = Block(name, inputs, expanded, outputs, stride if i == 0 else 1)
            yield block, c_in * expansion, c_out
            inputs, c_in = outputs, c_out


class MobileNetV2(Backbone):
    """Inverted residuals (Sandler et al. 2018), ECMT's encoder for PASCAL-Context.

    Stages beyond the output stride keep their resolution; the ASPP that follows dilates. The
    residual stream of a stage is one group, the expanded width of each block another; the
    depthwise convolution follows the expanded width.
    """

    outputs = ("stage7",)
    low_level = ("stage2",)

    @staticmethod
    def groups(ratios: Sequence[float], divisor: int) -> tuple[Group, ...]:
        """The encoder's groups, in the order in which an image passes them."""
        widths = {"stem": 32}
        for block, expanded, outputs in _blocks(output_stride=32):
            widths.setdefault(block.expanded, expanded)
            widths.setdefault(block.outputs, outputs)
        return tuple(Group.of(name, full, ratios, divisor) for name, full in widths.items())

    def __init__(self, full: Mapping[str, int], output_stride: int = 16) -> None:
        super().__init__()
        if output_stride not in (8, 16, 32):
            raise ValueError(f"the output stride is 8, 16 or 32, found {output_stride}")
        self.stem = ConvBatchNorm(full, (3,), ("stem",), 3, stride=2, activation=nn.ReLU6())
        self.blocks = nn.ModuleDict(
            {
                block.name.replace(".", "_"): InvertedResidual(full, block)
                for block, _, _ in _blocks(output_stride)
            }
        )

    def forward(self, x_NCHW: Tensor, architecture: Architecture) -> Features:
        """Images [N, 3, H, W] to features at the output stride, and at stride 4."""
        x = low_level = self.stem(x_NCHW, architecture)
        for name, block in self.blocks.items():
            x = block(x, architecture)
            if name.startswith("stage2"):
                low_level = x
        return Features(x, low_level)


class InvertedResidual(nn.Module):
    """Expand 1x1, depthwise 3x3, project 1x1, with a residual where the shapes allow it."""

    def __init__(self, full: Mapping[str, int], block: Block) -> None:
        super().__init__()
        expanded = (block.expanded,)
        self.expand = (
            None
            if block.expanded == block.inputs
            else ConvBatchNorm(full, (block.inputs,), expanded, activation=nn.ReLU6())
        )
        self.depthwise = ConvBatchNorm(
            full,
            expanded,
            expanded,
            kernel=3,
            stride=block.stride,
            per_group=1,
            activation=nn.ReLU6(),
        )
        self.project = ConvBatchNorm(full, expanded, (block.outputs,))
        self.residual = block.inputs == block.outputs

    def forward(self, x_NCHW: Tensor, architecture: Architecture) -> Tensor:
        """Shape [N, C, H, W] in, [N, C', H / stride, W / stride] out."""
        y: Tensor = x_NCHW if self.expand is None else self.expand(x_NCHW, architecture)
        y = self.project(self.depthwise(y, architecture), architecture)
        return x_NCHW + y if self.residual else y

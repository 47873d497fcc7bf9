"""Inverted residuals, which MobileNetV2 and EfficientNet-Lite are made of."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from torch import Tensor, nn

from model_store.subnet.space import Architecture, Group
from training.layers import ConvBatchNorm


class Stage(NamedTuple):
    """Blocks of one output width."""

    expansion: int
    """Expanded width over input width."""
    channels: int
    blocks: int
    stride: int
    """Stride of the first block."""
    kernel: int = 3


class Block(NamedTuple):
    """One inverted residual by the names of its groups."""

    name: str
    inputs: str
    expanded: str
    outputs: str
    stride: int
    kernel: int = 3


def blocks_of(
    stages: Sequence[Stage], output_stride: int, stem: int
) -> Iterator[tuple[Block, int, int]]:
    """Every block with its expanded and its output width.

    Args:
        stages: the stages after a stem of stride 2.
        output_stride: stages that would go beyond it keep their resolution.
        stem: width of the stem.
    """
    inputs, c_in, reached = "stem", stem, 2
    for number, stage in enumerate(stages, start=1):
        outputs = f"stage{number}"
        stride = stage.stride if reached * stage.stride <= output_stride else 1
        reached *= stride
        for i in range(stage.blocks):
            name = f"stage{number}.{i}"
            expanded = inputs if stage.expansion == 1 else f"{name}.expanded"
            first = stride if i == 0 else 1
            block = Block(name, inputs, expanded, outputs, first, stage.kernel)
            yield block, c_in * stage.expansion, stage.channels
            inputs, c_in = outputs, stage.channels


def groups_of(
    stages: Sequence[Stage], stem: int, ratios: Sequence[float], divisor: int
) -> tuple[Group, ...]:
    """The groups, in the order in which an image passes them."""
    widths = {"stem": stem}
    for block, expanded, outputs in blocks_of(stages, 32, stem):
        widths.setdefault(block.expanded, expanded)
        widths.setdefault(block.outputs, outputs)
    return tuple(Group.of(name, full, ratios, divisor) for name, full in widths.items())


def check_output_stride(output_stride: int) -> None:
    """Refuses output strides that the stages cannot give.

    Raises:
        ValueError: it is not 8, 16 or 32.
    """
    if output_stride not in (8, 16, 32):
        raise ValueError(f"the output stride is 8, 16 or 32, found {output_stride}")


class InvertedResidual(nn.Module):
    """Expand 1x1, depthwise, project 1x1, with a residual where the shapes allow it.

    Args:
        full: group name to channel count at full width.
        block: the block's groups, stride and kernel.
        same: see :class:`training.layers.SlimmableConv2d`.
    """

    def __init__(self, full: Mapping[str, int], block: Block, same: bool = False) -> None:
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
            kernel=block.kernel,
            stride=block.stride,
            per_group=1,
            activation=nn.ReLU6(),
            same=same,
        )
        self.project = ConvBatchNorm(full, expanded, (block.outputs,))
        self.residual = block.inputs == block.outputs

    def forward(self, x_NCHW: Tensor, architecture: Architecture) -> Tensor:
        """Shape [N, C, H, W] in, [N, C', H / stride, W / stride] out."""
        y: Tensor = x_NCHW if self.expand is None else self.expand(x_NCHW, architecture)
        y = self.project(self.depthwise(y, architecture), architecture)
        return x_NCHW + y if self.residual else y

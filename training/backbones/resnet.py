"""ResNets of basic blocks (18, 20, 34 layers) and of bottlenecks (50 layers)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, cast

import torch.nn.functional as F
from torch import Tensor, nn

from model_store.subnet.space import Architecture, Group
from training.backbones.backbone import Backbone, Features, parameter_names
from training.layers import ConvBatchNorm


class Plan(NamedTuple):
    """What tells one ResNet from another."""

    blocks: tuple[int, ...]
    """Residual blocks of each stage."""
    widths: tuple[int, ...]
    """Hidden width of the blocks of each stage; the first is the stem's too."""
    expansion: int
    """Output width over hidden width: 1 for basic blocks, 4 for bottlenecks."""
    small: bool = False
    """Whether the stem keeps the resolution, for 32x32 images."""


class Block(NamedTuple):
    """One residual block by its groups."""

    name: str
    inputs: str
    hidden: tuple[str, ...]
    """One group in a basic block, two in a bottleneck."""
    outputs: str
    stride: int
    projected: bool
    """Whether the shortcut is a 1x1 convolution, as at the start of a stage of another shape."""


def plan_of(depth: int) -> Plan:
    """The plan of a ResNet (He et al. 2016, Table 1 and Sec. 4.2).

    Raises:
        ValueError: there is no ResNet of this depth.
    """
    imagenet = (64, 128, 256, 512)
    plans = {
        18: Plan((2, 2, 2, 2), imagenet, 1),
        20: Plan((3, 3, 3), (16, 32, 64), 1, small=True),
        34: Plan((3, 4, 6, 3), imagenet, 1),
        50: Plan((3, 4, 6, 3), imagenet, 4),
    }
    if depth not in plans:
        raise ValueError(f"a ResNet has {', '.join(map(str, plans))} layers, found {depth}")
    return plans[depth]


def _blocks(plan: Plan) -> Iterator[tuple[Block, int, int]]:
    """Every block with its hidden and its output width."""
    inputs, c_in = "stem", plan.widths[0]
    for stage, (count, width) in enumerate(zip(plan.blocks, plan.widths, strict=True), start=1):
        outputs, c_out = f"layer{stage}", width * plan.expansion
        for i in range(count):
            stride = 2 if stage > 1 and i == 0 else 1
            name = f"layer{stage}.{i}"
            hidden = (
                (f"{name}.hidden",)
                if plan.expansion == 1
                else (f"{name}.hidden1", f"{name}.hidden2")
            )
            # Where the shortcut is the identity, its two ends must be cut together.
            projected = stride > 1 or c_in != c_out
            if not projected:
                outputs = inputs
            yield Block(name, inputs, hidden, outputs, stride, projected), width, c_out
            inputs, c_in = outputs, c_out


class ResNet(Backbone):
    """A ResNet with stride in the 3x3 convolution, as torchvision has it, without its classifier.

    ResNet-34, undilated, is ECMT's encoder for NYUD-v2. The residual stream of a stage is one
    group that all its blocks share, the hidden width of each block another. Where the first
    stage adds to the stem's output without a projection (basic blocks), both are one group.
    ResNet-20 projects where He et al. pad with zeros, since a padded shortcut cannot be slimmed.
    """

    @staticmethod
    def groups(depth: int, ratios: Sequence[float], divisor: int) -> tuple[Group, ...]:
        """The encoder's groups, in the order in which an image passes them."""
        plan = plan_of(depth)
        widths = {"stem": plan.widths[0]}
        for block, hidden, outputs in _blocks(plan):
            widths |= dict.fromkeys(block.hidden, hidden)
            widths.setdefault(block.outputs, outputs)
        return tuple(Group.of(name, full, ratios, divisor) for name, full in widths.items())

    @staticmethod
    def outputs_of(depth: int) -> tuple[str, ...]:
        """The groups of the deepest features."""
        return (f"layer{len(plan_of(depth).blocks)}",)

    def __init__(self, full: Mapping[str, int], depth: int) -> None:
        super().__init__()
        plan = plan_of(depth)
        blocks = [block for block, _, _ in _blocks(plan)]
        first = [b for b in blocks if b.name.startswith("layer1.")]
        self.small = plan.small
        self.outputs, self.low_level = self.outputs_of(depth), (first[-1].outputs,)
        self.low_level_stride = 1 if plan.small else 4
        self.output_stride = self.low_level_stride * 2 ** (len(plan.blocks) - 1)
        self.stem = ConvBatchNorm(
            full,
            (3,),
            ("stem",),
            kernel=3 if plan.small else 7,
            stride=1 if plan.small else 2,
            activation=nn.ReLU(),
        )
        self.blocks = nn.ModuleDict(
            {block.name.replace(".", "_"): Residual(full, block) for block in blocks}
        )

    def published_names(self) -> Mapping[str, str]:
        """Torchvision's names."""
        modules = {"stem.conv": "conv1", "stem.norm": "bn1"}
        for name, block in cast("dict[str, Residual]", self.blocks).items():
            here, there = f"blocks.{name}", name.replace("_", ".")
            for i in range(len(block.convs)):
                modules[f"{here}.convs.{i}.conv"] = f"{there}.conv{i + 1}"
                modules[f"{here}.convs.{i}.norm"] = f"{there}.bn{i + 1}"
            if block.shortcut is not None:
                modules[f"{here}.shortcut.conv"] = f"{there}.downsample.0"
                modules[f"{here}.shortcut.norm"] = f"{there}.downsample.1"
        return parameter_names(modules)

    def forward(self, x_NCHW: Tensor, architecture: Architecture) -> Features:
        """Images [N, 3, H, W] to features at the output stride, and at that of the first stage."""
        x = self.stem(x_NCHW, architecture)
        if not self.small:
            x = F.max_pool2d(x, 3, stride=2, padding=1)
        low_level = x
        for name, block in self.blocks.items():
            x = block(x, architecture)
            if name.startswith("layer1_"):
                low_level = x
        return Features(x, low_level)


class Residual(nn.Module):
    """A basic block (two 3x3) or a bottleneck (1x1, 3x3, 1x1) beside its shortcut."""

    def __init__(self, full: Mapping[str, int], block: Block) -> None:
        super().__init__()
        widths = (block.inputs, *block.hidden, block.outputs)
        kernels = (3, 3) if len(block.hidden) == 1 else (1, 3, 1)
        # The first 3x3 convolution has the stride.
        strides = [block.stride if i == kernels.index(3) else 1 for i in range(len(kernels))]
        last = len(kernels) - 1
        self.convs = nn.ModuleList(
            [
                ConvBatchNorm(
                    full,
                    (widths[i],),
                    (widths[i + 1],),
                    kernel,
                    stride,
                    activation=None if i == last else nn.ReLU(),
                )
                for i, (kernel, stride) in enumerate(zip(kernels, strides, strict=True))
            ]
        )
        self.shortcut = (
            ConvBatchNorm(full, (block.inputs,), (block.outputs,), stride=block.stride)
            if block.projected
            else None
        )

    def forward(self, x_NCHW: Tensor, architecture: Architecture) -> Tensor:
        """Shape [N, C, H, W] in, [N, C', H / stride, W / stride] out."""
        y = x_NCHW
        for conv in self.convs:
            y = conv(y, architecture)
        kept = x_NCHW if self.shortcut is None else self.shortcut(x_NCHW, architecture)
        return F.relu(y + kept)

"""Slimmable layers: full-width parameters of which a forward pass uses a prefix slice.

Every layer says which groups its parameters' dimensions belong to (:meth:`dims`). The forward
pass, the extraction in PyTorch and the extraction from ONNX slice by those same words.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model_store.subnet.slicing import Dim, Dims, take, width
from model_store.subnet.space import Architecture
from training.batch_norm import synchronised_batch_norm


class Slimmable(nn.Module):
    """A layer whose parameters are sliced by an architecture."""

    full: Mapping[str, int]
    inputs: Dim
    outputs: Dim

    def __init__(self, full: Mapping[str, int], inputs: Dim, outputs: Dim) -> None:
        super().__init__()
        self.full = full
        self.inputs = inputs
        self.outputs = outputs

    def dims(self) -> dict[str, Dims]:
        """Parameter name to what each of its dimensions is made of."""
        raise NotImplementedError

    def sliced(self, name: str, architecture: Architecture) -> Tensor:
        """The prefix slice of a parameter that a sub-network uses."""
        parameter: Tensor = getattr(self, name)
        return take(parameter, self.dims()[name], self.full, architecture)


class SlimmableConv2d(Slimmable):
    """A convolution whose input and output channels are slimmable.

    A dense convolution slices both channel dimensions of its weight. A grouped one keeps the
    number of channels per group and drops whole groups; a depthwise one is the case of one
    channel per group.

    Args:
        full: group name to channel count at full width.
        inputs: the groups that the input is made of.
        outputs: the groups that the output is made of.
        kernel: kernel size; padding keeps the resolution at stride 1.
        stride: stride.
        dilation: dilation.
        per_group: input channels of one convolution group; None for a dense convolution.
        bias: whether to add a bias.
        same: whether to pad as TensorFlow does ("SAME"), which puts the odd row and column of a
            strided convolution's padding below and to the right.
    """

    def __init__(
        self,
        full: Mapping[str, int],
        inputs: Dim,
        outputs: Dim,
        kernel: int = 1,
        stride: int = 1,
        dilation: int = 1,
        per_group: int | None = None,
        bias: bool = False,
        same: bool = False,
    ) -> None:
        super().__init__(full, inputs, outputs)
        self.kernel, self.stride, self.dilation, self.same = kernel, stride, dilation, same
        self.per_group = per_group
        c_in, c_out = width(inputs, full), width(outputs, full)
        if per_group is not None and (c_in % per_group or c_out % (c_in // per_group)):
            raise ValueError(f"{c_in} -> {c_out} channels cannot form groups of {per_group}")
        self.weight = nn.Parameter(torch.empty(c_out, per_group or c_in, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(c_out)) if bias else None
        nn.init.kaiming_normal_(self.weight, mode="fan_in", nonlinearity="relu")

    def dims(self) -> dict[str, Dims]:
        """The weight [out, in, kh, kw] and the bias [out]."""
        inputs = () if self.per_group else self.inputs
        named: dict[str, Dims] = {"weight": (self.outputs, inputs, (), ())}
        return named if self.bias is None else named | {"bias": (self.outputs,)}

    def forward(self, x_NCHW: Tensor, architecture: Architecture) -> Tensor:
        """Convolves with the sub-network's slice of the weight."""
        weight = self.sliced("weight", architecture)
        bias = None if self.bias is None else self.sliced("bias", architecture)
        padding = self.dilation * (self.kernel // 2)
        if self.same and self.stride > 1:
            x_NCHW, padding = self._padded(x_NCHW), 0
        groups = x_NCHW.shape[1] // weight.shape[1]
        if groups > 1 and self.stride > 1 and x_NCHW.device.type == "cpu":
            # oneDNN has no fast bfloat16 backward pass for a strided depthwise convolution.
            with torch.autocast("cpu", enabled=False):
                wide = x_NCHW.to(weight.dtype)
                y = F.conv2d(wide, weight, bias, self.stride, padding, self.dilation, groups)
            return y.to(x_NCHW.dtype)
        return F.conv2d(x_NCHW, weight, bias, self.stride, padding, self.dilation, groups)

    def _padded(self, x_NCHW: Tensor) -> Tensor:
        pads: list[int] = []
        for size in (x_NCHW.shape[3], x_NCHW.shape[2]):
            last = (-(-size // self.stride) - 1) * self.stride
            total = max(last + self.dilation * (self.kernel - 1) + 1 - size, 0)
            pads += [total // 2, total - total // 2]
        return F.pad(x_NCHW, pads)


class SlimmableBatchNorm2d(Slimmable):
    """Batch norm that normalises with the batch's own statistics and keeps none.

    Statistics of a shared network are ill-defined, since they differ for every sub-network (ECMT
    Sec. 5, "Architectures"). Only an extracted sub-network is given statistics, by
    :func:`training.calibration.calibrate`.
    """

    running_mean: Tensor | None
    running_var: Tensor | None
    eps = 1e-5
    synchronised = False
    """Whether the batch is what all ranks hold of it, and not only this one."""

    def __init__(self, full: Mapping[str, int], channels: Dim) -> None:
        super().__init__(full, channels, channels)
        self.weight = nn.Parameter(torch.ones(width(channels, full)))
        self.bias = nn.Parameter(torch.zeros(width(channels, full)))
        self.register_buffer("running_mean", None)
        self.register_buffer("running_var", None)

    def dims(self) -> dict[str, Dims]:
        """Scale γ and shift β, and the statistics once there are any; all of shape [channels]."""
        names = ["weight", "bias"]
        if self.running_mean is not None:
            names += ["running_mean", "running_var"]
        return dict.fromkeys(names, (self.outputs,))

    def forward(self, x_NCHW: Tensor, architecture: Architecture) -> Tensor:
        """Normalises with the calibrated statistics, or without any with the batch's own."""
        weight, bias = self.sliced("weight", architecture), self.sliced("bias", architecture)
        if self.synchronised:
            return synchronised_batch_norm(x_NCHW, weight, bias, self.eps)
        return F.batch_norm(
            x_NCHW,
            self.running_mean,
            self.running_var,
            weight,
            bias,
            training=self.running_mean is None,
            eps=self.eps,
        )


class SlimmableLinear(Slimmable):
    """A linear layer that reads a prefix of its input features."""

    def __init__(self, full: Mapping[str, int], inputs: Dim, outputs: Dim) -> None:
        super().__init__(full, inputs, outputs)
        c_in, c_out = width(inputs, full), width(outputs, full)
        self.weight = nn.Parameter(torch.empty(c_out, c_in))
        self.bias = nn.Parameter(torch.zeros(c_out))
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)

    def dims(self) -> dict[str, Dims]:
        """The weight [out, in] and the bias [out]."""
        return {"weight": (self.outputs, self.inputs), "bias": (self.outputs,)}

    def forward(self, x_NC: Tensor, architecture: Architecture) -> Tensor:
        """Applies the sub-network's slice of the weight to as many leading features."""
        weight = self.sliced("weight", architecture)
        bias = self.sliced("bias", architecture)
        prefix_NC = x_NC if x_NC.shape[1] == weight.shape[1] else x_NC[:, : weight.shape[1]]
        return F.linear(prefix_NC, weight, bias)


class ConvBatchNorm(nn.Module):
    """Convolution and batch norm, with a ReLU or ReLU6 after it or none."""

    def __init__(
        self,
        full: Mapping[str, int],
        inputs: Dim,
        outputs: Dim,
        kernel: int = 1,
        stride: int = 1,
        dilation: int = 1,
        per_group: int | None = None,
        activation: nn.Module | None = None,
        same: bool = False,
    ) -> None:
        super().__init__()
        self.conv = SlimmableConv2d(
            full, inputs, outputs, kernel, stride, dilation, per_group, same=same
        )
        self.norm = SlimmableBatchNorm2d(full, outputs)
        self.activation = activation

    def forward(self, x_NCHW: Tensor, architecture: Architecture) -> Tensor:
        """Shape [N, C, H, W] in, [N, C', H / stride, W / stride] out."""
        x_NCHW = self.norm(self.conv(x_NCHW, architecture), architecture)
        return x_NCHW if self.activation is None else self.activation(x_NCHW)

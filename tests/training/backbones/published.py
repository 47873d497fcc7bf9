"""Published classifiers as plain modules with their published parameter names.

Written from their papers and the layout of torchvision's state dicts, and sharing no code with the
slimmable encoders: what an encoder loads must compute what these compute.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def conv(c_in: int, c_out: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False)


class Basic(nn.Module):
    expansion = 1

    def __init__(self, c_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv(c_in, width, 3, stride), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv(width, width, 3), nn.BatchNorm2d(width)
        self.downsample = shortcut(c_in, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (self.downsample(x) if self.downsample is not None else x))


class Bottleneck(nn.Module):
    expansion = 4

    def __init__(self, c_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv(c_in, width, 1), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv(width, width, 3, stride), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = conv(width, 4 * width, 1), nn.BatchNorm2d(4 * width)
        self.downsample = shortcut(c_in, 4 * width, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn3(self.conv3(F.relu(self.bn2(self.conv2(y)))))
        return F.relu(y + (self.downsample(x) if self.downsample is not None else x))


def shortcut(c_in: int, c_out: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and c_in == c_out:
        return None
    return nn.Sequential(conv(c_in, c_out, 1, stride), nn.BatchNorm2d(c_out))


class PlainResNet(nn.Module):
    """An ImageNet ResNet; :meth:`forward` gives the features before the classifier's pooling."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        block: type[Basic | Bottleneck] = Bottleneck if depth == 50 else Basic
        counts = (2, 2, 2, 2) if depth == 18 else (3, 4, 6, 3)
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        c_in = 64
        for stage, count in enumerate(counts):
            blocks = []
            for i in range(count):
                stride = 2 if stage and not i else 1
                blocks.append(block(c_in, 64 * 2**stage, stride))
                c_in = 64 * 2**stage * block.expansion
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(c_in, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        for stage in range(1, 5):
            x = self.get_submodule(f"layer{stage}")(x)
        return x


class Inverted(nn.Module):
    def __init__(self, c_in: int, c_out: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = c_in * expansion
        layers: list[nn.Module] = []
        if expansion > 1:
            layers.append(conv_bn_relu6(c_in, width, 1))
        layers.append(conv_bn_relu6(width, width, 3, stride, groups=width))
        layers += [conv(width, c_out, 1), nn.BatchNorm2d(c_out)]
        self.conv = nn.Sequential(*layers)
        self.residual = stride == 1 and c_in == c_out

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return x + y if self.residual else y


def conv_bn_relu6(
    c_in: int, c_out: int, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    return nn.Sequential(
        conv(c_in, c_out, kernel, stride, groups), nn.BatchNorm2d(c_out), nn.ReLU6()
    )


class PlainMobileNetV2(nn.Module):
    """MobileNetV2; :meth:`forward` gives the 320 channels before the last convolution."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [conv_bn_relu6(3, 32, 3, 2)]
        c_in = 32
        for expansion, c_out, count, stride in (
            (1, 16, 1, 1),
            (6, 24, 2, 2),
            (6, 32, 3, 2),
            (6, 64, 4, 2),
            (6, 96, 3, 1),
            (6, 160, 3, 2),
            (6, 320, 1, 1),
        ):
            for i in range(count):
                layers.append(Inverted(c_in, c_out, stride if i == 0 else 1, expansion))
                c_in = c_out
        layers.append(conv_bn_relu6(320, 1280, 1))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(), nn.Linear(1280, 1000))

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.features[:-1](x)
        return features


EFFICIENTNET_STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1)
"""Stride of each of the 16 blocks."""


def efficientnet_lite0(state: dict[str, Tensor], x: Tensor) -> Tensor:
    """The 320 channels of EfficientNet-Lite0 from its state dict, normalised by the batch."""

    def layer(conv_name: str, norm: str, y: Tensor, stride: int = 1, act: bool = True) -> Tensor:
        weight = state[f"{conv_name}.weight"]
        kernel, groups = weight.shape[2], (y.shape[1] // weight.shape[1])
        # TensorFlow's SAME at stride 1 is symmetric; at stride 2 and even sizes it lacks the
        # first row and column.
        before = (kernel - stride) // 2 if stride == 2 else kernel // 2
        after = kernel // 2
        y = F.conv2d(F.pad(y, (before, after, before, after)), weight, stride=stride, groups=groups)
        y = F.batch_norm(
            y, None, None, state[f"{norm}.weight"], state[f"{norm}.bias"], training=True, eps=1e-3
        )
        return F.relu6(y) if act else y

    x = layer("_conv_stem", "_bn0", x, stride=2)
    for i, stride in enumerate(EFFICIENTNET_STRIDES):
        name, y = f"_blocks.{i}", x
        if f"{name}._expand_conv.weight" in state:
            y = layer(f"{name}._expand_conv", f"{name}._bn0", y)
        y = layer(f"{name}._depthwise_conv", f"{name}._bn1", y, stride)
        y = layer(f"{name}._project_conv", f"{name}._bn2", y, act=False)
        x = x + y if x.shape == y.shape else y
    return x


def randomised(module: nn.Module, seed: int = 0) -> dict[str, Tensor]:
    """The module's state dict, after its batch norms got scales and shifts that tell them apart."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for child in module.modules():
            if isinstance(child, nn.BatchNorm2d):
                child.weight.uniform_(0.5, 1.5, generator=generator)
                child.bias.normal_(0.0, 0.2, generator=generator)
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}

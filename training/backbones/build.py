"""From the configuration of an encoder to its groups and to the encoder itself."""

from collections.abc import Mapping, Sequence

from model_store.subnet.space import Group
from training.backbones.backbone import Backbone
from training.backbones.efficientnet_lite import EfficientNetLite0
from training.backbones.mobilenetv2 import MobileNetV2
from training.backbones.resnet import ResNet
from training.backbones.resnet9 import ResNet9
from training.recipe import EncoderConfig, MobileNetV2Config, ResNet9Config, ResNetConfig


def encoder_groups(
    config: EncoderConfig, ratios: Sequence[float], divisor: int
) -> tuple[Group, ...]:
    """The encoder's groups, in the order in which an image passes them."""
    if isinstance(config, ResNet9Config):
        return ResNet9.groups(config.width, ratios, divisor)
    if isinstance(config, ResNetConfig):
        return ResNet.groups(config.depth, ratios, divisor)
    if isinstance(config, MobileNetV2Config):
        return MobileNetV2.groups(ratios, divisor)
    return EfficientNetLite0.groups(ratios, divisor)


def encoder_of(config: EncoderConfig, full: Mapping[str, int]) -> Backbone:
    """An encoder with random weights.

    Args:
        config: which encoder.
        full: channel count of each of its groups.
    """
    if isinstance(config, ResNet9Config):
        return ResNet9(full)
    if isinstance(config, ResNetConfig):
        return ResNet(full, config.depth)
    if isinstance(config, MobileNetV2Config):
        return MobileNetV2(full, config.output_stride)
    return EfficientNetLite0(full, config.output_stride)


def deepest_group(config: EncoderConfig) -> str:
    """The group of the deepest features, of which linear heads read a prefix."""
    if isinstance(config, ResNet9Config):
        (name,) = ResNet9.outputs
    elif isinstance(config, ResNetConfig):
        (name,) = ResNet.outputs_of(config.depth)
    elif isinstance(config, MobileNetV2Config):
        (name,) = MobileNetV2.outputs
    else:
        (name,) = EfficientNetLite0.outputs
    return name

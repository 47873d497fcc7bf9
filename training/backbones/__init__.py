"""Slimmable encoders and the groups of channels that they are cut by."""

from training.backbones.backbone import Backbone, Features
from training.backbones.efficientnet_lite import EfficientNetLite0
from training.backbones.mobilenetv2 import MobileNetV2
from training.backbones.resnet import ResNet
from training.backbones.resnet9 import ResNet9

__all__ = ["Backbone", "EfficientNetLite0", "Features", "MobileNetV2", "ResNet", "ResNet9"]

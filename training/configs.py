"""Named recipes: each a function that returns the full, frozen configuration of a run."""

from collections.abc import Callable
from dataclasses import dataclass, field

from training.tasks import Task


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


@dataclass(frozen=True)
class DeepLabV3Config:
    """DeepLabv3 heads."""

    channels: int = 48
    """Full width C of each decoder."""
    rates: tuple[int, ...] = (2, 4, 6)
    """Dilation rates of the ASPP."""


@dataclass(frozen=True)
class NetworkConfig:
    """What a SuperNet is made of."""

    encoder: ResNet9Config | MobileNetV2Config
    decoder: DeepLabV3Config | None
    """Dense prediction heads, or None for linear heads."""
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

    @property
    def output_stride(self) -> int:
        """Input resolution over that of the deepest features."""
        return self.encoder.output_stride if isinstance(self.encoder, MobileNetV2Config) else 8


@dataclass(frozen=True)
class TrainingConfig:
    """How a SuperNet is trained (ECMT Algorithm 1)."""

    epochs: int
    batch_size: int
    learning_rate: float
    """Peak of the one-cycle schedule (Smith and Topin 2018), with Adam."""
    weight_decay: float
    distillation: float
    """Weight λ of the CI-KD loss."""
    label_smoothing: float = 0.0
    """Share of a label spread over all classes."""
    sandwich: int = 4
    """Networks b per step: the largest, the smallest and b - 2 random ones."""
    warmup: float = 0.2
    """Share of the steps in which the learning rate rises."""

    def __post_init__(self) -> None:
        if self.sandwich < 2:
            raise ValueError(f"a sandwich has at least 2 networks, found {self.sandwich}")
        if self.epochs < 1 or self.batch_size < 2:
            raise ValueError("at least 1 epoch and a batch size of 2 are needed")


@dataclass(frozen=True)
class PredictorConfig:
    """How the accuracy predictor is made (ECMT Algorithm 3)."""

    samples: int
    """Measured sub-networks M; a tenth is held out."""
    calibration_images: int
    """Images on which each sampled sub-network is calibrated."""
    epochs: int = 150
    batch_size: int = 16
    learning_rate: float = 1e-3


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
    scenes: int = field(default=0)
    """Rendered training scenes, for recipes that render their own."""


CALTECH100_TASKS = (
    "faces-airplanes anchor-beaver binocular-buddha butterfly-ceiling_fan cellphone-cougar_face "
    "crab-cup dalmatian-electric_guitar elephant-ferry flamingo-gramophone grand_piano-helicopter "
    "ibis-ketch lamp-lotus mandolin-minaret nautilus-panda pigeon-revolver rhino-scissors "
    "scorpion-stapler starfish-sunflower tick-water_lilly wheelchair-yin_yang"
)
"""The coarse labels of Caltech-100: five classes each, in alphabetical order."""

CIFAR100_TASKS = (
    "aquatic_mammals fish flowers food_containers fruit_and_vegetables "
    "household_electrical_devices household_furniture insects large_carnivores "
    "large_man-made_outdoor_things large_natural_outdoor_scenes large_omnivores_and_herbivores "
    "medium_mammals non-insect_invertebrates people reptiles small_mammals trees vehicles_1 "
    "vehicles_2"
)
"""The coarse labels of CIFAR-100."""


def _cifar_like(
    name: str, dataset: str, tasks: str, attribution: str, license_name: str
) -> Recipe:
    return Recipe(
        name=name,
        dataset=dataset,
        attribution=attribution,
        license=license_name,
        network=NetworkConfig(
            encoder=ResNet9Config(width=28),
            decoder=None,
            tasks=tuple(Task(t, "classification", 5) for t in tasks.split()),
            height=32,
            width=32,
            mean=(0.5, 0.5, 0.5),
            std=(0.25, 0.25, 0.25),
            ratios=(0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
            divisor=8,
        ),
        training=TrainingConfig(
            epochs=45,
            batch_size=128,
            learning_rate=3e-3,
            weight_decay=1e-4,
            distillation=0.01,
            label_smoothing=0.1,
        ),
        predictor=PredictorConfig(samples=1000, calibration_images=256),
    )


def caltech100() -> Recipe:
    """Caltech-100 as 20 five-way tasks: 100 classes of Caltech-101 at 32x32, CIFAR-100's layout.

    ResNet-9, width list, λ and the loss weights are ECMT's for CIFAR-100 (Sec. 5). The schedule
    is one cycle, for far fewer images than CIFAR-100 has.
    """
    return _cifar_like(
        "caltech100",
        "Caltech-100 (100 classes of Caltech-101, 32x32)",
        CALTECH100_TASKS,
        "Trained on Caltech-101: Li, Andreeto, Ranzato, Perona (CaltechDATA, 2022), CC BY 4.0",
        "CC-BY-4.0",
    )


def cifar100() -> Recipe:
    """The same recipe on the user's own copy of CIFAR-100 (python version)."""
    return _cifar_like(
        "cifar100",
        "CIFAR-100",
        CIFAR100_TASKS,
        "Trained on CIFAR-100: Krizhevsky 2009",
        "Apache-2.0",
    )


def rooms() -> Recipe:
    """Five dense tasks on rendered rooms at 128x128 (:mod:`training.data.rooms`)."""
    from training.data.rooms import CLASSES, PALETTE

    return Recipe(
        name="rooms",
        dataset="rooms (rendered by the project, 128x128)",
        attribution="Trained on scenes rendered by the project",
        license="Apache-2.0",
        network=NetworkConfig(
            encoder=MobileNetV2Config(output_stride=16),
            decoder=DeepLabV3Config(channels=48, rates=(2, 4, 6)),
            tasks=(
                Task("semseg", "segmentation", len(CLASSES), 1.0, CLASSES, PALETTE),
                Task("depth", "depth", 1, 2.0),
                Task("normals", "normals", 3, 4.0),
                Task("edges", "edges", 1, 4.0),
                Task("saliency", "saliency", 1, 1.0),
            ),
            height=128,
            width=128,
            mean=(0.5, 0.5, 0.5),
            std=(0.25, 0.25, 0.25),
            ratios=(0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
            divisor=8,
        ),
        training=TrainingConfig(
            epochs=9,
            batch_size=12,
            learning_rate=2e-3,
            weight_decay=1e-4,
            distillation=0.1,
        ),
        predictor=PredictorConfig(samples=300, calibration_images=64),
        scenes=4000,
    )


def recipes() -> dict[str, Callable[[], Recipe]]:
    """Every recipe by name."""
    return {f.__name__: f for f in (caltech100, cifar100, rooms)}

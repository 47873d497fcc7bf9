"""Named recipes: each a function that returns the full, frozen configuration of a run."""

from collections.abc import Callable
from dataclasses import replace

from training.data.rooms import CLASSES, PALETTE
from training.published_recipes import celeba, nyud, pascal
from training.recipe import (
    DeepLabV3Config,
    MobileNetV2Config,
    NetworkConfig,
    PredictorConfig,
    Recipe,
    ResNet9Config,
    TrainingConfig,
)
from training.tasks import Task

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


def _cifar_like(name: str, dataset: str, tasks: str, attribution: str, license_name: str) -> Recipe:
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
            epochs=75,
            batch_size=256,
            learning_rate=3e-3,
            weight_decay=1e-4,
            distillation=0.01,
        ),
        predictor=PredictorConfig(samples=320, calibration_images=1024),
    )


def caltech100() -> Recipe:
    """Caltech-100 as 20 five-way tasks: 100 classes of Caltech-101 at 32x32, CIFAR-100's layout.

    ECMT's settings for CIFAR-100 (Sec. 5), but for what far fewer images ask for: one cycle of the
    learning rate up to 3e-3 instead of a constant 1e-3.
    """
    return _cifar_like(
        "caltech100",
        "Caltech-100 (100 classes of Caltech-101, 32x32)",
        CALTECH100_TASKS,
        "Trained on Caltech-101: Li, Andreeto, Ranzato, Perona (CaltechDATA, 2022), CC BY 4.0",
        "CC-BY-4.0",
    )


def cifar100() -> Recipe:
    """CIFAR-100 (python version) as 20 five-way tasks, as ECMT trains on it; 73.05 MMACs.

    From Sec. 5, "Training implementation details": Adam with learning rate 1e-3 and weight decay
    1e-4; 75 epochs; batch size 256; all loss weights 1; λ = 0.01; ω = 0.2, 0.3 ... 1.0; from
    scratch; 90% of the training set. From "Architectures": ResNet-9, linear layers. From Sec. 4.1:
    a sandwich of b = 4. From "MTL accuracy predictor details": M = 2000. From Table 3: 72.92, which
    a base width of 28 comes closest to, in millions.

    PyTorch's defaults otherwise, so a constant learning rate. Not published: calibration images.
    """
    recipe = _cifar_like(
        "cifar100",
        "CIFAR-100",
        CIFAR100_TASKS,
        "Trained on CIFAR-100: Krizhevsky 2009",
        "Apache-2.0",
    )
    return replace(
        recipe,
        training=TrainingConfig(
            epochs=75,
            batch_size=256,
            learning_rate=1e-3,
            weight_decay=1e-4,
            distillation=0.01,
            schedule="constant",
        ),
        predictor=PredictorConfig.as_published(calibration_images=256),
    )


def rooms() -> Recipe:
    """Five dense tasks on rendered rooms at 128x128 (:mod:`training.data.rooms`)."""
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
            sampling="stratified",
        ),
        predictor=PredictorConfig(samples=640, calibration_images=64),
        scenes=4000,
    )


def recipes() -> dict[str, Callable[[], Recipe]]:
    """Every recipe by name."""
    return {f.__name__: f for f in (caltech100, cifar100, rooms, celeba, nyud, pascal)}

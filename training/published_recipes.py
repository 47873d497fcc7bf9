"""The recipes of published benchmarks, on the user's own copies of the data.

"Sec. 5" is that of ECMT (Aich et al. 2023). What a :class:`TrainingConfig` cannot say is named
where it differs.
"""

from training.recipe import (
    MobileNetV2Config,
    NetworkConfig,
    PlainDeepLabV3Config,
    PredictorConfig,
    Recipe,
    ResNetConfig,
    TrainingConfig,
)
from training.tasks import MetricDepth, Task

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

NYUD_CLASSES = (
    "wall",
    "floor",
    "cabinet",
    "bed",
    "chair",
    "sofa",
    "table",
    "door",
    "window",
    "bookshelf",
    "picture",
    "counter",
    "blinds",
    "desk",
    "shelves",
    "curtain",
    "dresser",
    "pillow",
    "mirror",
    "floor mat",
    "clothes",
    "ceiling",
    "books",
    "refrigerator",
    "television",
    "paper",
    "towel",
    "shower curtain",
    "box",
    "whiteboard",
    "person",
    "night stand",
    "toilet",
    "sink",
    "lamp",
    "bathtub",
    "bag",
    "other structure",
    "other furniture",
    "other prop",
)
"""The 40 classes of NYUD-v2 (Gupta et al. 2013), in their order."""

PASCAL_CLASSES = (
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)
"""The 21 classes of PASCAL VOC, in their order."""

HUMAN_PARTS = (
    "background",
    "head",
    "torso and neck",
    "upper arm",
    "lower arm and hand",
    "upper leg",
    "lower leg and foot",
)
"""The classes of human part segmentation, in their order."""


def _widths(narrowest: int) -> tuple[float, ...]:
    return tuple(tenths / 10 for tenths in range(narrowest, 11))


def nyud() -> Recipe:
    """NYUD-v2: segmentation, depth and normals, ResNet-34 and DeepLabv3 heads; 22.67 GMACs.

    From Sec. 5, "Training implementation details": Adam with learning rate 1e-4 and weight decay
    1e-4; 100 epochs; batch size 8; loss weights 1, 1, 10; λ = 1; ω = 0.6, 0.7 ... 1.0; decoders of
    256 channels; an encoder pre-trained on ImageNet (``--weights``); 90% of the training set. From
    "Architectures": ResNet-34, DeepLabv3. From Sec. 4.1: a sandwich of b = 4. From "MTL accuracy
    predictor details": M = 2000. From Table 1: 22.66 GMACs, which an undilated encoder, 512x512
    images and rates 12, 24, 36 give.

    The poly schedule is that of "Training implementation details", its power that of InterroGate
    A.1. Not published: calibration images.
    """
    return Recipe(
        name="nyud",
        dataset="NYUD-v2",
        attribution="Trained on NYUD-v2: Silberman, Hoiem, Kohli, Fergus 2012",
        license="Apache-2.0",
        network=NetworkConfig(
            encoder=ResNetConfig(depth=34),
            decoder=PlainDeepLabV3Config(channels=256, rates=(12, 24, 36)),
            tasks=(
                Task("semseg", "segmentation", len(NYUD_CLASSES), 1.0, NYUD_CLASSES),
                MetricDepth("depth", "depth", 1, 1.0),
                Task("normals", "normals", 3, 10.0),
            ),
            height=512,
            width=512,
            mean=IMAGENET_MEAN,
            std=IMAGENET_STD,
            ratios=_widths(6),
        ),
        training=TrainingConfig(
            epochs=100,
            batch_size=8,
            learning_rate=1e-4,
            weight_decay=1e-4,
            distillation=1.0,
            schedule="poly",
        ),
        predictor=PredictorConfig.as_published(calibration_images=64),
        layout="nyud",
    )


def pascal() -> Recipe:
    """PASCAL-Context: five dense tasks, MobileNetV2 and DeepLabv3 heads; 9.43 GMACs.

    From Sec. 5, "Training implementation details": Adam with learning rate 1e-4 and weight decay
    1e-4; 100 epochs; batch size 8; loss weights 1 (segmentation), 2 (human parts), 5 (saliency),
    50 (edges), 10 (normals); λ = 0.001; ω = 0.5, 0.6 ... 1.0; decoders of 128 channels; an encoder
    pre-trained on ImageNet (``--weights``); 90% of the training set. From "Architectures":
    MobileNetV2, DeepLabv3. From Sec. 4.1: a sandwich of b = 4. From "MTL accuracy predictor
    details": M = 2000. From Table 2: 9.43 GMACs, which output stride 16, 512x512 images and rates
    12, 24, 36 give.

    The poly schedule is that of "Training implementation details", its power that of InterroGate
    A.1. Not published: calibration images.
    """
    return Recipe(
        name="pascal",
        dataset="PASCAL-Context",
        attribution="Trained on PASCAL-Context: Everingham et al. 2010, Chen et al. 2014",
        license="Apache-2.0",
        network=NetworkConfig(
            encoder=MobileNetV2Config(output_stride=16),
            decoder=PlainDeepLabV3Config(channels=128, rates=(12, 24, 36)),
            tasks=(
                Task("semseg", "segmentation", len(PASCAL_CLASSES), 1.0, PASCAL_CLASSES),
                Task("human_parts", "segmentation", len(HUMAN_PARTS), 2.0, HUMAN_PARTS),
                Task("saliency", "saliency", 1, 5.0),
                Task("normals", "normals", 3, 10.0),
                Task("edges", "edges", 1, 50.0),
            ),
            height=512,
            width=512,
            mean=IMAGENET_MEAN,
            std=IMAGENET_STD,
            ratios=_widths(5),
        ),
        training=TrainingConfig(
            epochs=100,
            batch_size=8,
            learning_rate=1e-4,
            weight_decay=1e-4,
            distillation=0.001,
            schedule="poly",
        ),
        predictor=PredictorConfig.as_published(calibration_images=64),
        layout="pascal",
    )


def celeba() -> Recipe:
    """CelebA: gender, age and clothes as three two-way tasks, ResNet-20 at 32x32.

    From InterroGate (Bejnordi et al. 2024), A.1: ResNet-20 whose stem does not pool, linear heads,
    images resized to 32x32, Adam with learning rate 1e-3 and weight decay 1e-4, batch size 128.
    Binary cross-entropy (Sec. 4.1) is the cross-entropy of two classes. λ and ω are ECMT's for
    CIFAR-100 (Sec. 5), the other data set of 32x32 images.

    The rate falls to a third every 20 epochs. Not published: the epochs, for which three such
    steps stand, and which attributes are meant; here they are Male,
    Young and Wearing_Necktie.
    """
    return Recipe(
        name="celeba",
        dataset="CelebA (32x32)",
        attribution="Trained on CelebA: Liu, Luo, Wang, Tang 2015",
        license="Apache-2.0",
        network=NetworkConfig(
            encoder=ResNetConfig(depth=20),
            decoder=None,
            tasks=(
                Task("gender", "classification", 2, 1.0, ("female", "male")),
                Task("age", "classification", 2, 1.0, ("old", "young")),
                Task("clothes", "classification", 2, 1.0, ("no necktie", "necktie")),
            ),
            height=32,
            width=32,
            mean=(0.5, 0.5, 0.5),
            std=(0.25, 0.25, 0.25),
            ratios=_widths(2),
            # The narrowest layers have 16 channels.
            divisor=4,
        ),
        training=TrainingConfig(
            epochs=60,
            batch_size=128,
            learning_rate=1e-3,
            weight_decay=1e-4,
            distillation=0.01,
            schedule="step",
        ),
        predictor=PredictorConfig.as_published(calibration_images=256),
        layout="celeba",
    )

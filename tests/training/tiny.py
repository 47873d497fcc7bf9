"""Small recipes, and small data of noise that networks can be trained and measured on."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from model_store.subnet.space import Architecture
from training.data.source import Batch
from training.loop import build
from training.recipe import (
    DeepLabV3Config,
    EfficientNetLite0Config,
    MobileNetV2Config,
    NetworkConfig,
    PlainDeepLabV3Config,
    PredictorConfig,
    Recipe,
    ResNet9Config,
    ResNetConfig,
    TrainingConfig,
)
from training.supernet import SuperNet
from training.tasks import IGNORE, MetricDepth, Task

SIDE = 32
"""Height and width of all images here."""

ANIMALS = ("cat", "dog", "cow")
FLOWERS = ("rose", "lily")


def classifying() -> Recipe:
    """Two classification tasks, ResNet-9 and linear heads."""
    return _recipe(
        NetworkConfig(
            encoder=ResNet9Config(width=8),
            decoder=None,
            tasks=(
                Task("animals", "classification", len(ANIMALS), 1.0),
                Task("flowers", "classification", len(FLOWERS), 0.5),
            ),
            height=SIDE,
            width=SIDE,
            mean=(0.5, 0.4, 0.6),
            std=(0.25, 0.3, 0.2),
            ratios=(0.25, 0.5, 0.75, 1.0),
            divisor=4,
        )
    )


def dense() -> Recipe:
    """All dense kinds of tasks, MobileNetV2 and DeepLabv3 heads."""
    return _recipe(
        NetworkConfig(
            encoder=MobileNetV2Config(output_stride=16),
            decoder=DeepLabV3Config(channels=16, rates=(1,)),
            tasks=(
                Task("semseg", "segmentation", 3, 1.0, ANIMALS, ((0, 0, 0), (9, 9, 9), (5, 0, 5))),
                Task("depth", "depth", 1, 2.0),
                Task("normals", "normals", 3, 3.0),
                Task("edges", "edges", 1),
                Task("saliency", "saliency", 1),
            ),
            height=SIDE,
            width=SIDE,
            mean=(0.5, 0.4, 0.6),
            std=(0.25, 0.3, 0.2),
            ratios=(0.5, 0.75, 1.0),
            divisor=4,
        )
    )


def residual() -> Recipe:
    """Dense and classification tasks at once, ResNet-18 and the published DeepLabv3 head."""
    made = dense()
    return replace(
        made,
        name="tiny-residual",
        network=replace(
            made.network,
            encoder=ResNetConfig(depth=18),
            decoder=PlainDeepLabV3Config(channels=16, rates=(1, 2)),
            tasks=(
                Task("semseg", "segmentation", 3),
                Task("animals", "classification", len(ANIMALS)),
                MetricDepth("depth", "depth", 1),
            ),
        ),
    )


def lite() -> Recipe:
    """EfficientNet-Lite0 and DeepLabv3 heads."""
    made = dense()
    encoder = EfficientNetLite0Config(output_stride=16, imagenet=False)
    return replace(made, name="tiny-lite", network=replace(made.network, encoder=encoder))


MAKERS: tuple[Callable[[], Recipe], ...] = (classifying, dense, residual, lite)
"""Every kind of network."""


def _recipe(network: NetworkConfig) -> Recipe:
    return Recipe(
        name="tiny-dense" if network.decoder else "tiny",
        dataset="noise",
        attribution="nobody",
        license="CC0-1.0",
        network=network,
        training=TrainingConfig(
            epochs=3, batch_size=8, learning_rate=1e-3, weight_decay=1e-4, distillation=0.1
        ),
        predictor=PredictorConfig(samples=20, calibration_images=16, epochs=2, imagined=50),
        seed=3,
    )


def network_of(recipe: Recipe) -> SuperNet:
    """The SuperNet of a recipe, with scales and shifts of batch norm that show a mix-up."""
    network = build(recipe)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if ".norm." in name or name.endswith(".bias"):
                parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.2)
            # Networks this deep amplify rounding errors where they are not trained, by exp for
            # depth and without bound where a normal vanishes: the last layer damps them.
            if name.endswith("classify.weight"):
                parameter.mul_(0.1)
            if name.endswith("classify.bias"):
                parameter.add_(1.0)
    return network


def some(network: SuperNet, seed: int) -> Architecture:
    """A random sub-network."""
    return network.space.random(np.random.default_rng(seed))


def images(count: int, seed: int = 0) -> Tensor:
    """Patches of random colours, float32 [count, 3, 32, 32] in [0, 1]."""
    return _patches(count, seed).permute(0, 3, 1, 2).float() / 255


def _patches(count: int, seed: int) -> Tensor:
    patches = np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    return torch.from_numpy(patches.repeat(SIDE // 8, axis=1).repeat(SIDE // 8, axis=2))


@dataclass(frozen=True, eq=False)
class Noise:
    """A source of noise. Its augmentation adds more of it, so that the generator matters."""

    images_NHWC: Tensor
    targets: dict[str, Tensor]

    @staticmethod
    def of(recipe: Recipe, count: int, seed: int = 0) -> "Noise":
        """Random images and targets for the recipe's tasks."""
        rng = np.random.default_rng(seed)
        owner_N = rng.integers(0, len(recipe.network.tasks), count)
        plane = (count, SIDE, SIDE)
        targets: dict[str, Tensor] = {}
        for index, task in enumerate(recipe.network.tasks):
            if task.kind == "classification":
                label_N = rng.integers(0, task.outputs, count)
                target = torch.from_numpy(np.where(owner_N == index, label_N, IGNORE))
            elif task.kind == "depth":
                target = torch.from_numpy(rng.uniform(1.0, 5.0, plane)).float()
            elif task.kind == "normals":
                normals_NCHW = torch.from_numpy(rng.normal(size=(count, 3, SIDE, SIDE))).float()
                target = torch.nn.functional.normalize(normals_NCHW, dim=1)
            else:
                classes = task.outputs if task.kind == "segmentation" else 2
                target = torch.from_numpy(rng.integers(0, classes, plane))
            targets[task.name] = target
        return Noise(_patches(count, seed), targets)

    def __len__(self) -> int:
        return len(self.images_NHWC)

    def batch(self, indices_N: Tensor) -> Batch:
        images_NCHW = self.pixels(indices_N).permute(0, 3, 1, 2).float() / 255
        return Batch(images_NCHW, {t: target[indices_N] for t, target in self.targets.items()})

    def augment(self, batch: Batch, generator: torch.Generator) -> Batch:
        noise = 0.1 * torch.rand(batch.images_NCHW.shape, generator=generator)
        return Batch((batch.images_NCHW + noise).clamp(0.0, 1.0), batch.targets)

    def pixels(self, indices_N: Tensor) -> Tensor:
        return self.images_NHWC[indices_N]

    def identity(self) -> str:
        return hashlib.sha256(self.images_NHWC.numpy().tobytes()).hexdigest()

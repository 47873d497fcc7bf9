"""Random training transforms of files on disk, drawn from a generator."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from model_store.manifest import TaskKind
from training.data.geometry import Motion, moved
from training.data.source import Batch


@dataclass(frozen=True)
class Transforms:
    """What is drawn for every image."""

    mirror: float = 0.5
    """Probability that left and right are exchanged."""
    scales: tuple[float, ...] = ()
    """Enlargements of which one is drawn; what goes out of view is cropped at random."""
    scale_range: tuple[float, float] = (1.0, 1.0)
    """Else: range of the enlargement, about the centre."""
    degrees: float = 0.0
    """Largest rotation either way."""
    erase: float = 0.0
    """Probability that a rectangle is erased (Zhong et al. 2020)."""


def augmented(
    batch: Batch,
    transforms: Transforms,
    kinds: Mapping[str, TaskKind],
    fill: Tensor,
    generator: torch.Generator,
) -> Batch:
    """Transforms every image of a batch, and its targets with it.

    Args:
        batch: images and targets.
        transforms: what is drawn.
        kinds: the kind of each task.
        fill: colour [3] of what is erased, and of what comes into view from outside.
        generator: of everything that is drawn.
    """
    n = len(batch.images_NCHW)
    result = moved(batch, _motion(n, transforms, generator), kinds, fill)
    if not transforms.erase:
        return result
    images_NCHW = erased(result.images_NCHW, transforms.erase, fill, generator)
    return Batch(images_NCHW, result.targets, result.aspect_N)


def _motion(n: int, transforms: Transforms, generator: torch.Generator) -> Motion:
    def uniform(*shape: int) -> Tensor:
        """In [-1, 1)."""
        return 2 * torch.rand(*shape, generator=generator) - 1

    mirror_N = torch.rand(n, generator=generator) < transforms.mirror
    angle_N = uniform(n) * math.radians(transforms.degrees)
    if transforms.scales:
        drawn = torch.randint(len(transforms.scales), (n,), generator=generator)
        scale_N = torch.tensor(transforms.scales)[drawn]
        # As far as the enlarged image still covers the view.
        shift_NX = uniform(n, 2) * (scale_N - 1).clamp(min=0)[:, None]
    else:
        low, high = transforms.scale_range
        scale_N = low + (high - low) * torch.rand(n, generator=generator)
        shift_NX = torch.zeros(n, 2)
    return Motion(mirror_N, angle_N, scale_N, shift_NX)


def erased(
    images_NCHW: Tensor, probability: float, fill: Tensor, generator: torch.Generator
) -> Tensor:
    """Random Erasing with the parameters of its paper (Zhong et al. 2020, Sec. 4.2).

    A rectangle of 0.02 to 0.4 of the area, with an aspect ratio of 0.3 to 1/0.3 drawn on a log
    scale, cut to the image. Targets are kept, as in classification.
    """
    n, _, height, width = images_NCHW.shape
    chance_N, area_N, aspect_N, top_N, left_N = torch.rand(5, n, generator=generator)
    area_N = (0.02 + 0.38 * area_N) * height * width
    aspect_N = torch.exp((2 * aspect_N - 1) * math.log(0.3))
    tall_N = (area_N * aspect_N).sqrt().round().clamp(1, height)
    wide_N = (area_N / aspect_N).sqrt().round().clamp(1, width)
    rows_NH = _span(top_N, tall_N, height)
    columns_NW = _span(left_N, wide_N, width)
    hole_NHW = rows_NH[:, :, None] & columns_NW[:, None, :]
    hole_NHW = hole_NHW & (chance_N < probability)[:, None, None]
    return torch.where(hole_NHW[:, None], fill.view(1, 3, 1, 1), images_NCHW)


def _span(position_N: Tensor, length_N: Tensor, size: int) -> Tensor:
    """Which of ``size`` places a span covers that starts anywhere it fits, bool [N, size]."""
    start_N = (position_N * (size - length_N + 1)).floor()
    offset_NS = torch.arange(size) - start_N[:, None]
    return (offset_NS >= 0) & (offset_NS < length_N[:, None])

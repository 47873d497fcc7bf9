"""Calibration images without data: synthesised so that batch statistics match those on real data.

Users often may not ship training images with a model. Batch norm needs none of their content, only
their statistics: so images are optimised until every batch-norm input has, at several widths, the
mean and variance that it has on the real images (the statistics matching of data-free
distillation, Yin et al. 2020, "Dreaming to Distill", Sec. 3.2, here over a slimmable network).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model_store.subnet.space import Architecture
from training.evaluate import normalise
from training.layers import SlimmableBatchNorm2d
from training.supernet import SuperNet

Moments = list[tuple[Tensor, Tensor]]
"""Mean and variance of every batch norm's input, in the order of the network's modules."""

SCALES = (1, 2, 4, 8, 16, 32)
"""Pixels that a value of each layer of the pyramid covers, along each side."""

FASTEST = 16
"""Layers learn in proportion to their scale, up to this one."""


@dataclass(frozen=True)
class SynthesisConfig:
    """How images are synthesised."""

    steps: int = 200
    learning_rate: float = 0.035
    """Of single pixels, in units of the real images' contrast between neighbours."""
    widths: int = 6
    """Architectures whose statistics are matched: smallest, largest, and random ones."""
    per_step: int = 2
    """Architectures matched in each step, in turn."""


def moments(network: SuperNet, x_NCHW: Tensor, architecture: Architecture) -> Moments:
    """The moments of every batch norm's input for one batch; differentiable."""
    found: Moments = []

    def record(_: SlimmableBatchNorm2d, inputs: tuple[Tensor, ...]) -> None:
        variance, mean = torch.var_mean(inputs[0].float(), dim=(0, 2, 3), correction=0)
        found.append((mean, variance))

    norms = [m for m in network.modules() if isinstance(m, SlimmableBatchNorm2d)]
    hooks = [norm.register_forward_pre_hook(record) for norm in norms]
    try:
        with torch.autocast("cpu", torch.bfloat16):
            network(x_NCHW, architecture)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def mismatch(found: Moments, wanted: Moments) -> Tensor:
    """Mean over the layers of the distance of means and standard deviations, in σ.

    A layer's distance is the root of the mean square over its channels. Squared, the distances of
    the few layers that are hard would be all that counts.
    """
    terms = []
    for (mean, variance), (true_mean, true_variance) in zip(found, wanted, strict=True):
        scale = (true_variance + 1e-5).sqrt()
        spread = ((variance + 1e-5).sqrt() - scale) / scale
        terms.append((((mean - true_mean) / scale) ** 2 + spread**2).mean())
    # The root has no gradient at 0.
    return (torch.stack(terms) + 1e-12).sqrt().mean()


def synthesise(
    network: SuperNet,
    real_NCHW: Tensor,
    count: int,
    seed: int,
    config: SynthesisConfig,
    on_step: Callable[[int, int, float], None] = lambda _, __, ___: None,
) -> NDArray[np.uint8]:
    """Synthesises calibration images that show nothing of the real ones.

    Only the moments of the real images enter, never a pixel: the images start as noise.

    Args:
        network: the trained SuperNet; its parameters get no gradient.
        real_NCHW: real images, RGB in [0, 1], whose statistics are to be met.
        count: number of images to make.
        seed: of the noise and of the random architectures.
        config: how.
        on_step: called with the step, the number of steps and the mismatch.

    Returns:
        uint8 [count, H, W, 3].
    """
    space, rng = network.space, np.random.default_rng(seed)
    architectures = [space.largest(), space.smallest()]
    architectures += [space.random(rng) for _ in range(config.widths - len(architectures))]
    real = normalise(network.config, real_NCHW)
    with torch.no_grad():
        wanted = [moments(network, real, a) for a in architectures]
    generator = torch.Generator().manual_seed(seed)
    pyramid = _noise(count, network.config.height, network.config.width, generator)
    # Adam moves every value by about its learning rate, whatever the gradient. At the scale of
    # single pixels that is noise, to which the first layers are the more sensitive the less of it
    # there is in the real images.
    finest = config.learning_rate * _contrast(real_NCHW)
    optimizer = torch.optim.Adam(
        [
            {"params": [layer], "lr": finest * min(scale, FASTEST)}
            for scale, layer in zip(SCALES, pyramid, strict=True)
        ]
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.steps)
    network.requires_grad_(False)
    try:
        for step in range(config.steps):
            optimizer.zero_grad()
            x_NCHW = normalise(network.config, _images(pyramid))
            total = 0.0
            for k in range(config.per_step):
                index = (step * config.per_step + k) % len(architectures)
                loss = mismatch(moments(network, x_NCHW, architectures[index]), wanted[index])
                loss.backward(retain_graph=k + 1 < config.per_step)  # type: ignore[no-untyped-call]
                total += loss.item() / config.per_step
            optimizer.step()
            schedule.step()
            on_step(step + 1, config.steps, total)
    finally:
        network.requires_grad_(True)
    with torch.no_grad():
        pixels = (_images(pyramid) * 255).round().to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).contiguous().numpy()


def _contrast(images_NCHW: Tensor) -> float:
    """Standard deviation of the differences between neighbouring pixels, in logits."""
    # The sigmoid's slope is a quarter at most. No image is flatter than 8 bits say.
    return 4.0 * max(float(images_NCHW.diff(dim=3).std()), 1 / 255)


def _noise(count: int, height: int, width: int, generator: torch.Generator) -> list[Tensor]:
    """A pyramid of noise, stronger at coarser scales, as the content of pictures is."""
    sizes = [(max(1, height // scale), max(1, width // scale)) for scale in SCALES]
    return [
        (0.04 * scale * torch.randn(count, 3, *size, generator=generator)).requires_grad_()
        for scale, size in zip(SCALES, sizes, strict=True)
    ]


def _images(pyramid: list[Tensor]) -> Tensor:
    """The layers of a pyramid, finest first, summed up as logits of pixels; RGB in [0, 1]."""
    size = pyramid[0].shape[2:]
    scaled = [
        torch.nn.functional.interpolate(layer, size=size, mode="bilinear") for layer in pyramid
    ]
    return torch.stack(scaled).sum(dim=0).sigmoid()

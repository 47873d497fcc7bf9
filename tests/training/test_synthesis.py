"""Synthesised calibration images: their statistics come to those of real ones."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from tests.training.tiny import Noise, classifying, dense, images, network_of
from training.data.load import DataSets
from training.data.source import split
from training.evaluate import normalise
from training.layers import SlimmableBatchNorm2d
from training.publish import calibration_images
from training.recipe import Recipe
from training.supernet import SuperNet
from training.synthesis import SynthesisConfig, mismatch, moments, synthesise

BRIEF = SynthesisConfig(steps=3, widths=3, per_step=2)


@pytest.fixture
def network() -> SuperNet:
    return network_of(classifying())


def made(network: SuperNet, seed: int = 0, config: SynthesisConfig = BRIEF) -> NDArray[np.uint8]:
    return synthesise(network, images(16), 8, seed, config)


def test_moments_are_those_of_what_every_batch_norm_sees(network: SuperNet) -> None:
    x_NCHW = normalise(network.config, images(8))
    found = moments(network, x_NCHW, network.space.smallest())
    norms = [m for m in network.modules() if isinstance(m, SlimmableBatchNorm2d)]
    assert len(found) == len(norms)
    first = network.encoder.prep.conv(x_NCHW, network.space.smallest())  # type: ignore[operator, union-attr]
    mean, variance = found[0]
    # Two digits are what bfloat16 has.
    torch.testing.assert_close(mean, first.mean((0, 2, 3)), rtol=0.02, atol=0.02)
    torch.testing.assert_close(variance, first.var((0, 2, 3), correction=0), rtol=0.05, atol=0.02)


def test_the_mismatch_is_measured_in_standard_deviations() -> None:
    wanted = [(torch.tensor([1.0, 0.0]), torch.tensor([4.0, 1.0]))]
    assert mismatch(wanted, wanted).item() == pytest.approx(0.0, abs=1e-5)
    # One channel is 2 = 1 σ off and of 1.5 times the spread; the other agrees.
    found = [(torch.tensor([3.0, 0.0]), torch.tensor([9.0, 1.0]))]
    assert mismatch(found, wanted).item() == pytest.approx(((1.0 + 0.25) / 2) ** 0.5, rel=1e-3)


@pytest.mark.parametrize("make", [classifying, dense])
def test_statistics_come_half_way_to_those_of_other_real_images(
    make: Callable[[], Recipe],
) -> None:
    """Half of the way from noise; after rounding to 8 bits, at a width not optimised for."""
    network, seen = network_of(make()), list[tuple[int, int, float]]()
    architecture = network.space.uniform(0.6)

    def distance(x_NCHW: Tensor) -> float:
        with torch.no_grad():
            real, found = (
                moments(network, normalise(network.config, x), architecture)
                for x in (images(64), x_NCHW)
            )
        return float(mismatch(found, real))

    def synthetic(config: SynthesisConfig) -> Tensor:
        found = synthesise(network, images(64), 16, 0, config, lambda *step: seen.append(step))
        assert found.shape == (16, 32, 32, 3)
        assert found.dtype == np.uint8
        return torch.from_numpy(found).permute(0, 3, 1, 2).float() / 255

    # Half the usual rate: nearly all contrast of the block images is at the edges of few blocks.
    config = SynthesisConfig(steps=60, learning_rate=0.016, widths=3, per_step=2)
    start = distance(synthetic(replace(config, steps=1, learning_rate=1e-9)))
    seen.clear()
    assert distance(synthetic(config)) < 0.5 * (start + distance(images(16, seed=1)))
    assert [(step, steps) for step, steps, _ in seen] == [(i, 60) for i in range(1, 61)]
    errors = [error for _, _, error in seen]
    assert np.mean(errors[-5:]) < np.mean(errors[:2])


def test_images_follow_their_seed(network: SuperNet) -> None:
    first = made(network)
    np.testing.assert_array_equal(first, made(network))
    assert not np.array_equal(first, made(network, seed=1))


def test_the_network_is_as_before(network: SuperNet) -> None:
    before = {name: p.clone() for name, p in network.named_parameters()}
    made(network)
    for name, parameter in network.named_parameters():
        assert parameter.requires_grad, name
        assert parameter.grad is None, name
        assert torch.equal(parameter, before[name]), name
    assert not any(m._forward_pre_hooks for m in network.modules())


def test_an_interruption_leaves_the_network_as_before(network: SuperNet) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synthesise(network, images(16), 8, 0, BRIEF, interrupt)
    assert all(p.requires_grad and p.grad is None for p in network.parameters())


def test_synthetic_images_are_none_of_the_real_ones(
    network: SuperNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.publish.SynthesisConfig", lambda: BRIEF)
    train, validation = split(Noise.of(classifying(), 24), 0.1, 0)
    data = DataSets(train, validation, validation, {})
    reports: list[tuple[str, int, int]] = []
    found = calibration_images(
        network, data, "synthetic", 6, 0, lambda *report: reports.append(report)
    )
    assert found.shape == (6, 32, 32, 3)
    real = train.pixels(torch.arange(len(train))).numpy().astype(int)
    nearest = np.abs(found[:, None].astype(int) - real[None]).mean(axis=(2, 3, 4)).min()
    assert nearest > 20
    assert reports == [("synthesising calibration images", i, 3) for i in (1, 2, 3)]

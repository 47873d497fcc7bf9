"""Batch-norm statistics against torch's own batch norm."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tests.training.tiny import MAKERS, classifying, dense, images, network_of, some
from training.calibration import calibrate
from training.layers import SlimmableBatchNorm2d
from training.recipe import Recipe
from training.supernet import SuperNet

Seen = dict[str, list[Tensor]]

networks = pytest.mark.parametrize("make", MAKERS)


def norms(network: SuperNet) -> dict[str, SlimmableBatchNorm2d]:
    return {n: m for n, m in network.named_modules() if isinstance(m, SlimmableBatchNorm2d)}


@torch.no_grad()
def inputs(subnet: SuperNet, batches_NCHW: list[Tensor]) -> Seen:
    """What every batch norm sees, batch by batch, without statistics."""
    seen: Seen = {name: [] for name in norms(subnet)}
    hooks = [
        norm.register_forward_pre_hook(lambda _, x, name=name: seen[name].append(x[0].clone()))
        for name, norm in norms(subnet).items()
    ]
    for x_NCHW in batches_NCHW:
        subnet(x_NCHW, subnet.space.largest())
    for hook in hooks:
        hook.remove()
    return seen


def statistics(norm: SlimmableBatchNorm2d) -> tuple[Tensor, Tensor]:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return norm.running_mean, norm.running_var


@networks
def test_of_one_batch_statistics_are_those_of_torch(make: Callable[[], Recipe]) -> None:
    network = network_of(make())
    subnet = network.extract(some(network, 2))
    x_NCHW = images(16)
    seen = inputs(subnet, [x_NCHW])
    calibrate(subnet, [x_NCHW])
    for name, norm in norms(subnet).items():
        (x,) = seen[name]
        plain = nn.BatchNorm2d(x.shape[1], momentum=1.0).train()
        plain(x)
        n = x.numel() // x.shape[1]
        mean, var = statistics(norm)
        assert plain.running_mean is not None
        assert plain.running_var is not None
        # Torch keeps the unbiased variance, but normalises with the biased one.
        expected = plain.running_var * (n - 1) / n
        torch.testing.assert_close(mean, plain.running_mean, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(var, expected, rtol=1e-4, atol=1e-6)


@networks
@torch.no_grad()
def test_a_calibrated_network_repeats_what_it_saw(make: Callable[[], Recipe]) -> None:
    network = network_of(make())
    subnet, x_NCHW = network.extract(some(network, 2)), images(16)
    architecture = subnet.space.largest()
    before = subnet(x_NCHW, architecture).raw
    calibrate(subnet, [x_NCHW])
    for name, raw in subnet(x_NCHW, architecture).raw.items():
        scale = float(before[name].abs().max())
        torch.testing.assert_close(raw, before[name], rtol=0, atol=1e-3 * scale)
    alone = subnet(x_NCHW[:1], architecture).raw
    for name, raw in alone.items():
        scale = float(before[name].abs().max())
        torch.testing.assert_close(raw, before[name][:1], rtol=0, atol=1e-3 * scale)


@networks
def test_of_several_batches_the_spread_between_them_is_kept(make: Callable[[], Recipe]) -> None:
    network = network_of(make())
    subnet = network.extract(some(network, 2))
    # Dark and bright batches, of different sizes: most of the variance lies between them.
    batches = [images(9, 0) * 0.2, images(5, 1) * 0.2 + 0.8, images(2, 2)]
    seen = inputs(subnet, batches)
    calibrate(subnet, batches)
    for name, norm in norms(subnet).items():
        channels = [x.double().transpose(0, 1).flatten(1) for x in seen[name]]
        together = torch.cat(channels, dim=1)
        mean, var = statistics(norm)
        expected = together.var(dim=1, correction=0)
        torch.testing.assert_close(var.double(), expected, rtol=1e-3, atol=1e-6)
        deviation = (mean.double() - together.mean(dim=1)).abs()
        assert (deviation <= 1e-4 * expected.sqrt() + 1e-6).all()
    first = next(iter(norms(subnet)))
    within = torch.stack([x.var(dim=(0, 2, 3), correction=0) for x in seen[first]]).mean(dim=0)
    assert (statistics(norms(subnet)[first])[1] > 1.5 * within).any()


def test_calibrating_again_forgets_the_statistics_before() -> None:
    network = network_of(classifying())
    subnet, fresh = (network.extract(network.space.smallest()) for _ in range(2))
    calibrate(subnet, [images(8, 1) * 0.1])
    calibrate(subnet, [images(8, 2)])
    calibrate(fresh, [images(8, 2)])
    for mine, other in zip(norms(subnet).values(), norms(fresh).values(), strict=True):
        for a, b in zip(statistics(mine), statistics(other), strict=True):
            assert torch.equal(a, b)


def test_calibration_leaves_no_trace_but_statistics() -> None:
    network = network_of(dense())
    subnet = network.extract(network.space.smallest())
    before = {name: p.clone() for name, p in subnet.named_parameters()}
    calibrate(subnet, [images(4)])
    assert all(torch.equal(p, before[name]) for name, p in subnet.named_parameters())
    assert not any(p.grad is not None for p in subnet.parameters())
    assert not any(norm._forward_pre_hooks for norm in norms(subnet).values())

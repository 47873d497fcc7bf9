"""Slimmable layers against plain torch layers that hold the sliced weights."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model_store.subnet.space import Architecture
from training.layers import (
    ConvBatchNorm,
    SlimmableBatchNorm2d,
    SlimmableConv2d,
    SlimmableLinear,
)

FULL = {"a": 12, "b": 16, "c": 24}
SEEDS = range(4)


def random_widths(seed: int) -> Architecture:
    rng = np.random.default_rng(seed)
    return Architecture(
        tuple(FULL), tuple(2 * int(rng.integers(1, f // 2 + 1)) for f in FULL.values())
    )


def batch(channels: int, size: int = 9) -> Tensor:
    return torch.randn(3, channels, size, size, generator=torch.Generator().manual_seed(channels))


def rows(parameter: Tensor, *indices: list[int]) -> Tensor:
    """The elements of a parameter at these indices of its leading dimensions, by numpy."""
    array: NDArray[np.float32] = parameter.detach().numpy()
    return torch.from_numpy(array[np.ix_(*indices)])


def fill(plain: nn.Module, weight: Tensor, bias: Tensor | None) -> None:
    with torch.no_grad():
        assert isinstance(plain.weight, nn.Parameter)
        assert plain.weight.shape == weight.shape
        plain.weight.copy_(weight)
        if bias is not None:
            assert isinstance(plain.bias, nn.Parameter)
            plain.bias.copy_(bias)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 3)])
def test_a_dense_convolution_reads_and_writes_the_first_channels(
    seed: int, stride: int, dilation: int
) -> None:
    widths = random_widths(seed)
    layer = SlimmableConv2d(FULL, ("a",), ("b",), 3, stride, dilation, bias=True)
    assert layer.bias is not None
    nn.init.normal_(layer.bias)
    a, b = list(range(widths["a"])), list(range(widths["b"]))
    plain = nn.Conv2d(len(a), len(b), 3, stride, padding=dilation, dilation=dilation)
    fill(plain, rows(layer.weight, b, a), rows(layer.bias, b))
    torch.testing.assert_close(layer(batch(len(a)), widths), plain(batch(len(a))))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_convolution_after_a_concatenation_skips_what_is_cut_from_each_part(seed: int) -> None:
    widths = random_widths(seed)
    a, b, c = widths.channels
    layer = SlimmableConv2d(FULL, ("a", "b", 3, "a"), ("c",))
    kept = [*range(a), *range(12, 12 + b), *range(28, 31), *range(31, 31 + a)]
    plain = nn.Conv2d(len(kept), c, 1, bias=False)
    fill(plain, rows(layer.weight, list(range(c)), kept), None)
    torch.testing.assert_close(layer(batch(len(kept)), widths), plain(batch(len(kept))))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("stride", [1, 2])
def test_a_depthwise_convolution_drops_whole_channels(seed: int, stride: int) -> None:
    widths = random_widths(seed)
    c = widths["c"]
    layer = SlimmableConv2d(FULL, ("c",), ("c",), 3, stride, per_group=1)
    plain = nn.Conv2d(c, c, 3, stride, padding=1, groups=c, bias=False)
    fill(plain, layer.weight.detach()[:c], None)
    torch.testing.assert_close(layer(batch(c), widths), plain(batch(c)))


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_a_grouped_convolution_drops_whole_groups(groups: int) -> None:
    """Of 4 groups with 3 inputs and 4 outputs each, the first are kept."""
    widths = Architecture(tuple(FULL), (3 * groups, 4 * groups, 24))
    layer = SlimmableConv2d(FULL, ("a",), ("b",), 3, per_group=3)
    plain = nn.Conv2d(3 * groups, 4 * groups, 3, padding=1, groups=groups, bias=False)
    fill(plain, layer.weight.detach()[: 4 * groups], None)
    x_NCHW = batch(3 * groups)
    torch.testing.assert_close(layer(x_NCHW, widths), plain(x_NCHW))


@pytest.mark.parametrize(("size", "kernel", "before"), [(8, 3, 0), (9, 3, 1), (8, 5, 1), (9, 5, 2)])
def test_same_padding_puts_what_is_odd_below_and_to_the_right(
    size: int, kernel: int, before: int
) -> None:
    """ceil(8 / 2) = 4 outputs at stride 2 need k - 2 more rows; ceil(9 / 2) = 5 need k - 1."""
    full = {"a": 1, "b": 1}
    layer = SlimmableConv2d(full, ("a",), ("b",), kernel, stride=2, same=True)
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[0, 0, 0, 0] = 1.0
    x = torch.arange(1.0, size * size + 1).view(1, 1, size, size)
    y = layer(x, Architecture(("a", "b"), (1, 1)))
    assert y.shape[2:] == (-(-size // 2),) * 2
    # The kernel's first weight reads the padding first, then every second row and column.
    expected = torch.nn.functional.pad(x, (before, 0, before, 0))[:, :, ::2, ::2]
    assert torch.equal(y, expected[:, :, : y.shape[2], : y.shape[3]])


def test_channels_that_cannot_form_groups_are_refused() -> None:
    with pytest.raises(ValueError, match="12 -> 16 channels cannot form groups of 5"):
        SlimmableConv2d(FULL, ("a",), ("b",), per_group=5)
    with pytest.raises(ValueError, match="cannot form groups of 4"):
        SlimmableConv2d(FULL, ("a",), ("b",), per_group=4)


def test_in_bfloat16_a_strided_depthwise_convolution_still_learns_the_same() -> None:
    widths = random_widths(0)
    layer = SlimmableConv2d(FULL, ("c",), ("c",), 3, stride=2, per_group=1)
    gradients: list[Tensor] = []
    for enabled in (False, True):
        layer.weight.grad = None
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            y = layer(batch(widths["c"]), widths)
        (y.float() ** 2).sum().backward()
        assert layer.weight.grad is not None
        gradients.append(layer.weight.grad)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=0.05, atol=0.5)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_linear_layer_reads_a_prefix_of_its_features(seed: int) -> None:
    widths = random_widths(seed)
    a = list(range(widths["a"]))
    layer = SlimmableLinear(FULL, ("a",), (5,))
    nn.init.normal_(layer.bias)
    plain = nn.Linear(len(a), 5)
    fill(plain, rows(layer.weight, list(range(5)), a), layer.bias.detach())
    x_NC = torch.randn(4, 12)
    torch.testing.assert_close(layer(x_NC, widths), plain(x_NC[:, a]))
    torch.testing.assert_close(layer(x_NC[:, a], widths), plain(x_NC[:, a]))


@pytest.mark.parametrize("seed", SEEDS)
def test_batch_norm_uses_the_statistics_of_the_batch(seed: int) -> None:
    widths = random_widths(seed)
    b = widths["b"]
    layer = SlimmableBatchNorm2d(FULL, ("b",))
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias)
    plain = nn.BatchNorm2d(b)
    fill(plain, layer.weight.detach()[:b], layer.bias.detach()[:b])
    for shift in (0.0, 7.0):
        x_NCHW = batch(b) + shift
        torch.testing.assert_close(layer(x_NCHW, widths), plain(x_NCHW))


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_keeps_no_statistics(training: bool) -> None:
    layer = SlimmableBatchNorm2d(FULL, ("b",)).train(training)
    largest = Architecture(tuple(FULL), tuple(FULL.values()))
    first = layer(batch(16), largest)
    layer(100 * batch(16) + 5, largest)
    assert torch.equal(layer(batch(16), largest), first)
    assert set(layer.state_dict()) == {"weight", "bias"}
    assert set(layer.dims()) == {"weight", "bias"}


def test_batch_norm_with_statistics_uses_them() -> None:
    layer = SlimmableBatchNorm2d(FULL, ("b",))
    layer.running_mean, layer.running_var = torch.full((16,), 2.0), torch.full((16,), 9.0)
    largest = Architecture(tuple(FULL), tuple(FULL.values()))
    expected = (batch(16) - 2.0) / (9.0 + 1e-5) ** 0.5
    torch.testing.assert_close(layer(batch(16), largest), expected)
    assert set(layer.dims()) == {"weight", "bias", "running_mean", "running_var"}


def test_what_is_cut_away_learns_nothing() -> None:
    widths = Architecture(tuple(FULL), (4, 8, 24))
    block = ConvBatchNorm(FULL, ("a",), ("b",), 3, activation=nn.ReLU())
    (block(batch(4), widths) ** 2).sum().backward()
    gradient = block.conv.weight.grad
    assert gradient is not None
    assert gradient[:8, :4].abs().max() > 0
    gradient[:8, :4] = 0
    assert not gradient.any()


def test_convolution_batch_norm_and_activation_follow_each_other() -> None:
    widths = random_widths(1)
    a, b = widths["a"], widths["b"]
    block = ConvBatchNorm(FULL, ("a",), ("b",), 3, stride=2, activation=nn.ReLU6())
    plain = nn.Sequential(
        nn.Conv2d(a, b, 3, 2, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU6()
    )
    fill(plain[0], block.conv.weight.detach()[:b, :a], None)
    torch.testing.assert_close(block(batch(a), widths), plain(batch(a)))

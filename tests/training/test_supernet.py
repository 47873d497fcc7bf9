"""The SuperNet: one set of weights, many networks, none of which knows of the others."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from model_store.subnet.slicing import width
from model_store.subnet.space import SearchSpace
from tests.training.tiny import MAKERS, classifying, dense, images, network_of, some
from training.calibration import calibrate
from training.configs import caltech100, rooms
from training.loop import build
from training.recipe import MobileNetV2Config, Recipe
from training.supernet import SuperNet, search_space

networks = pytest.mark.parametrize("make", MAKERS)


def assert_same(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    """Equal up to the order in which a kernel sums."""
    assert set(first) == set(second)
    for name in first:
        torch.testing.assert_close(first[name], second[name], rtol=1e-4, atol=1e-5, msg=name)


@networks
@torch.no_grad()
def test_an_extracted_network_computes_what_the_shared_one_does_at_its_widths(
    make: Callable[[], Recipe],
) -> None:
    network, x_NCHW = network_of(make()), images(8)
    architectures = [network.space.largest(), network.space.smallest()]
    architectures += [some(network, seed) for seed in range(2)]
    for architecture in architectures:
        subnet = network.extract(architecture)
        alone = subnet(x_NCHW, subnet.space.largest())
        shared = network(x_NCHW, architecture)
        assert_same(alone.raw, shared.raw)
        torch.testing.assert_close(alone.z_NCHW, shared.z_NCHW, rtol=1e-4, atol=1e-5)
        assert alone.z_NCHW.shape[1] == width(network.encoder.outputs, architecture)


@networks
def test_an_extracted_network_is_a_copy(make: Callable[[], Recipe]) -> None:
    network = network_of(make())
    before = {name: p.clone() for name, p in network.state_dict().items()}
    for architecture in (network.space.largest(), some(network, 0)):
        subnet = network.extract(architecture)
        calibrate(subnet, [images(8)])
        with torch.no_grad():
            for parameter in subnet.parameters():
                parameter.add_(1.0)
    after = network.state_dict()
    assert set(after) == set(before)
    assert all(torch.equal(after[name], before[name]) for name in before)


@networks
@torch.no_grad()
def test_forward_passes_of_different_widths_do_not_influence_each_other(
    make: Callable[[], Recipe],
) -> None:
    network, x_NCHW = network_of(make()), images(8)
    one, other = some(network, 0), some(network, 1)
    first = network(x_NCHW, one).raw
    second = network(x_NCHW, other).raw
    again = network(x_NCHW, one).raw
    fresh = network_of(make())(x_NCHW, other).raw
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert all(torch.equal(second[name], fresh[name]) for name in first)
    assert not any(torch.equal(first[name], second[name]) for name in first)


@networks
def test_every_parameter_says_which_groups_it_is_made_of(make: Callable[[], Recipe]) -> None:
    network = build(make())
    full, slices = network.space.full_channels, network.slices()
    parameters = dict(network.named_parameters())
    assert set(slices) == set(parameters)
    named: set[str] = set()
    for name, dims in slices.items():
        assert len(dims) == parameters[name].ndim
        for dim, size in zip(dims, parameters[name].shape, strict=True):
            assert not dim or width(dim, full) == size, name
            named.update(s for s in dim if isinstance(s, str))
    assert named == set(network.space.names), "every group cuts something"


@networks
def test_a_calibrated_network_says_so_of_its_statistics_too(make: Callable[[], Recipe]) -> None:
    network = build(make())
    subnet = network.extract(network.space.largest())
    calibrate(subnet, [images(8)])
    assert set(subnet.slices()) == set(subnet.state_dict())
    assert any(name.endswith("running_var") for name in subnet.slices())


@networks
def test_every_weight_learns_at_full_width(make: Callable[[], Recipe]) -> None:
    network = build(make())
    raw, _ = network(images(8), network.space.largest())
    torch.stack([(r**2).mean() for r in raw.values()]).sum().backward()  # type: ignore[no-untyped-call]
    idle = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert not idle


@torch.no_grad()
def test_outputs_have_the_shapes_of_their_tasks() -> None:
    for make, size in ((classifying, ()), (dense, (16, 16))):
        network = build(make())
        for architecture in (network.space.smallest(), network.space.largest()):
            raw = network(images(2), architecture).raw
            expected = {t.name: (2, t.outputs, *size) for t in network.config.tasks}
            assert {name: tuple(r.shape) for name, r in raw.items()} == expected


@pytest.mark.parametrize("stride", [8, 16, 32])
@torch.no_grad()
def test_deep_stages_keep_their_resolution_beyond_the_output_stride(stride: int) -> None:
    config = replace(dense().network, encoder=MobileNetV2Config(stride), height=64, width=96)
    network = SuperNet(config, search_space(config))
    outputs = network(torch.rand(2, 3, 64, 96), network.space.smallest())
    assert outputs.z_NCHW.shape[2:] == (64 // stride, 96 // stride)
    assert outputs.raw["depth"].shape == (2, 1, 32, 48)


def test_other_output_strides_are_refused() -> None:
    config = replace(dense().network, encoder=MobileNetV2Config(4))
    with pytest.raises(ValueError, match="8, 16 or 32, found 4"):
        SuperNet(config, search_space(config))


def test_linear_heads_read_no_more_than_there_is() -> None:
    space = search_space(classifying().network)
    head = next(g for g in space.groups if g.task == "animals")
    assert (head.within, head.full) == ("layer3", 64)
    for seed in range(20):
        architecture = some(build(classifying()), seed)
        assert architecture["decoder.animals"] <= architecture["layer3"]


def test_the_shipped_recipes_have_the_search_spaces_of_the_paper() -> None:
    """One scalar per decoder after the encoder's groups; multiples of 8 channels."""
    assert len(decoders(search_space(caltech100().network))) == 20
    space = search_space(rooms().network)
    assert decoders(space) == ["semseg", "depth", "normals", "edges", "saliency"]
    # The stem, the streams of 7 stages, and the expanded widths of all 17 blocks but the first.
    assert len(space.encoder) == 1 + 7 + 16
    assert space.groups[0].channels == (16, 24, 32)


def decoders(space: SearchSpace) -> list[str]:
    return [g.task for g in space.groups if g.task is not None]


def test_the_same_seed_gives_the_same_weights_and_leaves_torchs_own_alone() -> None:
    state = torch.get_rng_state()
    first, second = build(classifying()).state_dict(), build(classifying()).state_dict()
    other = build(replace(classifying(), seed=4)).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["encoder.prep.conv.weight"], other["encoder.prep.conv.weight"])
    assert torch.equal(torch.get_rng_state(), state)

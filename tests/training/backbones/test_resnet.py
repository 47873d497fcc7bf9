"""Slimmable ResNets: which channels are cut together, and at what resolutions they end."""

import pytest
import torch

from model_store.subnet.space import SearchSpace
from training.backbones import ResNet


def made(depth: int) -> tuple[ResNet, SearchSpace]:
    space = SearchSpace(ResNet.groups(depth, (0.25, 0.5, 1.0), 8))
    return ResNet(space.full_channels, depth), space


@pytest.mark.parametrize(
    ("depth", "blocks", "hidden", "streams"),
    [
        # Without a projection the first stage adds to the stem's output: one group.
        (18, 8, 1, {"stem": 64, "layer2": 128, "layer3": 256, "layer4": 512}),
        (34, 16, 1, {"stem": 64, "layer2": 128, "layer3": 256, "layer4": 512}),
        (20, 9, 1, {"stem": 16, "layer2": 32, "layer3": 64}),
        (
            50,
            16,
            2,
            {"stem": 64, "layer1": 256, "layer2": 512, "layer3": 1024, "layer4": 2048},
        ),
    ],
)
def test_the_stream_of_a_stage_is_one_group_and_every_hidden_width_another(
    depth: int, blocks: int, hidden: int, streams: dict[str, int]
) -> None:
    groups = {g.name: g.full for g in ResNet.groups(depth, (0.5, 1.0), 8)}
    assert {name: full for name, full in groups.items() if "hidden" not in name} == streams
    assert len(groups) == len(streams) + blocks * hidden


@pytest.mark.parametrize(
    ("depth", "stride", "low_level_stride"), [(18, 32, 4), (20, 4, 1), (34, 32, 4), (50, 32, 4)]
)
@torch.no_grad()
def test_features_have_the_strides_and_widths_that_are_announced(
    depth: int, stride: int, low_level_stride: int
) -> None:
    encoder, space = made(depth)
    assert (encoder.output_stride, encoder.low_level_stride) == (stride, low_level_stride)
    architecture = space.smallest()
    (deepest,), (early,) = map(str, encoder.outputs), map(str, encoder.low_level)
    z, low_level = encoder(torch.rand(2, 3, 64, 96), architecture)
    assert z.shape == (2, architecture[deepest], 64 // stride, 96 // stride)
    size = (64 // low_level_stride, 96 // low_level_stride)
    assert low_level.shape == (2, architecture[early], *size)


def test_other_depths_are_refused() -> None:
    with pytest.raises(ValueError, match="18, 20, 34, 50 layers, found 101"):
        ResNet.groups(101, (0.5, 1.0), 8)

"""Slimmable EfficientNet-Lite0."""

import pytest
import torch

from model_store.subnet.space import SearchSpace
from training.backbones import EfficientNetLite0


@pytest.mark.parametrize("stride", [8, 16, 32])
@torch.no_grad()
def test_deep_stages_keep_their_resolution_beyond_the_output_stride(stride: int) -> None:
    space = SearchSpace(EfficientNetLite0.groups((0.5, 1.0), 8))
    encoder = EfficientNetLite0(space.full_channels, stride)
    architecture = space.smallest()
    z, low_level = encoder(torch.rand(2, 3, 64, 96), architecture)
    assert z.shape == (2, architecture["stage7"], 64 // stride, 96 // stride)
    assert low_level.shape == (2, architecture["stage2"], 16, 24)


def test_it_has_as_many_blocks_and_widths_as_efficientnet_b0() -> None:
    groups = {g.name: g.full for g in EfficientNetLite0.groups((1.0,), 8)}
    streams = {name: full for name, full in groups.items() if "expanded" not in name}
    assert list(streams.values()) == [32, 16, 24, 40, 80, 112, 192, 320]
    assert len(groups) == len(streams) + 15


def test_other_output_strides_are_refused() -> None:
    space = SearchSpace(EfficientNetLite0.groups((1.0,), 8))
    with pytest.raises(ValueError, match="8, 16 or 32, found 4"):
        EfficientNetLite0(space.full_channels, 4)

"""The search space: rounding, deduplication, and sub-networks as channel counts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_store.subnet.space import Architecture, Group, SearchSpace, round_channels

RATIOS = (0.25, 0.5, 0.75, 1.0)


def space() -> SearchSpace:
    return SearchSpace(
        (
            Group.of("stem", 32, RATIOS, 8),
            Group.of("stage", 64, RATIOS, 8),
            Group.of("head", 64, RATIOS, 8, task="animals", within="stage"),
            Group.of("depth", 16, RATIOS, 8, task="depth"),
        )
    )


@given(st.floats(0.1, 5000), st.integers(1, 32))
def test_rounding_goes_to_the_nearest_multiple_unless_that_takes_a_tenth(
    channels: float, divisor: int
) -> None:
    rounded = round_channels(channels, divisor)
    multiples = divisor * np.arange(1, int(channels / divisor) + 3)
    allowed = multiples[multiples >= 0.9 * channels]
    assert rounded in allowed
    assert abs(rounded - channels) <= np.abs(allowed - channels).min() + 1e-9


@pytest.mark.parametrize(
    ("channels", "divisor", "rounded"), [(3, 8, 8), (11, 8, 16), (20, 8, 24), (33, 8, 32)]
)
def test_rounding_by_hand(channels: float, divisor: int, rounded: int) -> None:
    assert round_channels(channels, divisor) == rounded


def test_ratios_that_round_to_the_same_count_are_one_choice() -> None:
    group = Group.of("g", 16, (0.25, 0.5, 0.55, 1.0), 8)
    assert group.channels == (8, 16)
    assert group.ratios == (0.55, 1.0)


def test_full_width_stands_even_where_the_divisor_does_not_divide_it() -> None:
    assert Group.of("g", 30, (0.5, 1.0), 8).channels == (16, 30)


def test_coarser_rounding_keeps_the_choices_that_it_divides_and_full_width() -> None:
    group = Group.of("g", 30, (0.25, 0.5, 0.75, 1.0), 8)
    assert group.channels == (8, 16, 24, 30)
    assert group.rounded(16) == Group("g", (0.5, 1.0), (16, 30))
    assert group.rounded(8) == group


@pytest.mark.parametrize("ratio", [0.0, -0.5, 1.5])
def test_ratios_outside_0_and_1_are_refused(ratio: float) -> None:
    with pytest.raises(ValueError, match="lie in"):
        Group.of("g", 16, (ratio, 1.0), 8)


@pytest.mark.parametrize(
    ("channels", "reason"), [((8, 8), "ascend"), ((0, 8), "positive"), ((8,), "as many")]
)
def test_impossible_groups_are_refused(channels: tuple[int, ...], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Group("g", (0.5, 1.0), channels)


@pytest.mark.parametrize(
    ("groups", "reason"),
    [
        ((Group("a", (1.0,), (8,)), Group("a", (1.0,), (8,))), "unique"),
        ((Group("a", (1.0,), (8,), "t"), Group("b", (1.0,), (8,))), "encoder groups come first"),
        ((Group("b", (1.0,), (8,), "t"),), "an encoder group is needed"),
        (
            (
                Group("a", (1.0,), (8,)),
                Group("b", (1.0,), (8,), "t"),
                Group("c", (1.0,), (8,), "t"),
            ),
            "one decoder group",
        ),
        ((Group("a", (1.0,), (8,), within="z"),), "unknown group 'z'"),
    ],
)
def test_impossible_spaces_are_refused(groups: tuple[Group, ...], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        SearchSpace(groups)


@given(st.integers(0, 2**32 - 1))
def test_a_reader_is_never_wider_than_what_it_reads(seed: int) -> None:
    found = space().random(np.random.default_rng(seed))
    assert found["head"] <= found["stage"]


@given(st.integers(0, 2**32 - 1))
def test_channel_counts_identify_a_sub_network(seed: int) -> None:
    found = space().random(np.random.default_rng(seed))
    again = space().from_channels(found.as_dict())
    assert again == found
    assert hash(again) == hash(found)
    assert again.digest == found.digest


def test_choices_that_clip_to_the_same_counts_are_equal() -> None:
    narrow, clipped = space().architecture([0, 0, 0, 0]), space().architecture([0, 0, 3, 0])
    assert narrow == clipped


def test_the_extremes_and_the_uniform_widths() -> None:
    assert space().largest().channels == (32, 64, 64, 16)
    assert space().smallest().channels == (8, 16, 16, 8)
    assert space().widest_of_prefixes().channels == (32, 64, 16, 16)
    assert space().uniform(0.5).channels == (16, 32, 32, 8)
    assert space().uniform(1.0) == space().largest()


def test_the_canonical_text_names_every_group() -> None:
    assert Architecture(("a", "b"), (8, 16)).text == "a=8 b=16"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"stem": 9}, "its choices are"),
        ({"odd": 8}, "unknown"),
        ({"stage": 32, "head": 64}, "head"),
    ],
)
def test_counts_outside_the_space_are_refused(change: dict[str, int], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        space().from_channels({**space().largest().as_dict(), **change})


def test_choices_outside_the_space_are_refused() -> None:
    with pytest.raises(ValueError, match="outside"):
        space().architecture([0, 0, 0, 9])


def test_ratios_are_channels_over_full_width() -> None:
    ratios_PG = space().ratios_of(np.array([space().smallest().channels]))
    np.testing.assert_allclose(ratios_PG, [[0.25, 0.25, 0.25, 0.5]])

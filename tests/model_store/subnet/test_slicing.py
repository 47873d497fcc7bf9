"""Prefix slices against numpy index sets."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from model_store.subnet.slicing import Dim, kept, take, width

FULL = {"a": 5, "b": 3, "c": 4}

channels = st.fixed_dictionaries({g: st.integers(1, n) for g, n in FULL.items()})
dims = st.lists(st.one_of(st.sampled_from(sorted(FULL)), st.integers(1, 3)), max_size=4).map(tuple)


def indices(dim: Dim, widths: dict[str, int]) -> list[int]:
    """The kept indices, found by labelling every full channel with its segment and place."""
    labels = [
        (segment, place)
        for segment in dim
        for place in range(FULL[segment] if isinstance(segment, str) else segment)
    ]
    return [
        i
        for i, (segment, place) in enumerate(labels)
        if not isinstance(segment, str) or place < widths[segment]
    ]


@given(dims, dims, channels)
def test_a_slice_holds_the_first_channels_of_each_segment(
    rows: Dim, columns: Dim, widths: dict[str, int]
) -> None:
    shape = (width(rows, FULL) or 6, width(columns, FULL) or 7)
    parameter = np.arange(shape[0] * shape[1]).reshape(shape)
    keep_rows = indices(rows, widths) if rows else range(shape[0])
    keep_columns = indices(columns, widths) if columns else range(shape[1])
    taken = take(parameter, (rows, columns), FULL, widths)
    np.testing.assert_array_equal(taken, parameter[np.ix_(list(keep_rows), list(keep_columns))])


@given(dims.filter(bool), channels)
def test_the_width_is_the_number_of_kept_indices(dim: Dim, widths: dict[str, int]) -> None:
    assert width(dim, widths) == len(indices(dim, widths))


@given(dims, dims, channels)
def test_torch_and_numpy_parameters_are_cut_alike(
    rows: Dim, columns: Dim, widths: dict[str, int]
) -> None:
    parameter = np.random.default_rng(0).normal(
        size=(width(rows, FULL) or 6, width(columns, FULL) or 7)
    )
    of_torch = take(torch.from_numpy(parameter), (rows, columns), FULL, widths)
    np.testing.assert_array_equal(of_torch.numpy(), take(parameter, (rows, columns), FULL, widths))


def test_a_single_segment_is_a_view_and_not_a_copy() -> None:
    parameter = np.zeros((5, 3))
    assert np.shares_memory(take(parameter, (("a",), ("b",)), FULL, {"a": 2, "b": 1}), parameter)


def test_full_width_keeps_everything_as_it_is() -> None:
    assert kept(("a", 2, "b"), FULL, FULL) == slice(None)

"""Prefix slices: which channels of a parameter a sub-network keeps.

Training's forward pass, training's extraction and the extraction from ONNX all call
:func:`take`, so that they cannot drift apart.
"""

from typing import Any, Protocol, TypeVar

Segment = str | int
"""A group's name, or a fixed number of channels that every sub-network keeps."""

Dim = tuple[Segment, ...]
"""What one dimension is made of: segments in order, as after a concatenation. () is not sliced."""

Dims = tuple[Dim, ...]
"""One :data:`Dim` per dimension of a parameter."""

Sliceable = TypeVar("Sliceable")


class Channels(Protocol):
    """Channel counts by group name: a dict or an ``Architecture``."""

    def __getitem__(self, group: str, /) -> int: ...


def width(dim: Dim, channels: Channels) -> int:
    """The number of channels that a dimension keeps."""
    return sum(channels[s] if isinstance(s, str) else s for s in dim)


def kept(dim: Dim, full: Channels, channels: Channels) -> slice | list[int]:
    """The indices that a dimension keeps: the first channels of each of its segments."""
    if len(dim) <= 1:
        return slice(width(dim, channels)) if dim else slice(None)
    indices: list[int] = []
    start = 0
    for segment in dim:
        indices.extend(range(start, start + width((segment,), channels)))
        start += width((segment,), full)
    return slice(None) if len(indices) == start else indices


def take(parameter: Sliceable, dims: Dims, full: Channels, channels: Channels) -> Sliceable:
    """The slice of a parameter that a sub-network uses.

    Args:
        parameter: a numpy array or a torch tensor; the result is of the same kind, and a view
            where no dimension is a concatenation.
        dims: what each dimension is made of.
        full: group name to channel count at full width.
        channels: group name to channel count of the sub-network.
    """
    taken: Any = parameter
    for axis, dim in enumerate(dims):
        index = kept(dim, full, channels)
        if index != slice(None):
            taken = taken[(slice(None),) * axis + (index,)]
    return taken  # type: ignore[no-any-return]

"""Whether the manifest's slices fit the graph, found out when a model is opened and not later."""

from collections import Counter
from collections.abc import Iterator

import numpy as np
import onnx

from model_store.subnet.extraction import INPUT_AXIS, Slices, cut, input_axis, prefix_reader
from model_store.subnet.graph import Graph, attributes, infer_shapes
from model_store.subnet.normalisation import batch_norms
from model_store.subnet.slicing import width
from model_store.subnet.space import Architecture, SearchSpace


def check_sliceable(graph: Graph, space: SearchSpace, slices: Slices) -> None:
    """Checks that every weight is finite and that sub-networks of mixed widths are sound.

    Raises:
        ValueError: a weight is not finite; a sliced initializer is unknown or of another shape; a
            group within another is used as anything but a layer's input; or channels that one
            group cuts are read as those of another, or as fixed.
    """
    full = space.full_channels
    for name, dims in slices.items():
        if name not in graph.weights:
            raise ValueError(f"the manifest slices {name!r}, which is no initializer")
        shape = graph.weights[name].shape
        if len(dims) != len(shape) or any(
            dim and width(dim, full) != size for dim, size in zip(dims, shape, strict=True)
        ):
            raise ValueError(f"the slices {dims} of {name!r} do not fit its shape {shape}")
    for name, weight in graph.weights.items():
        if weight.dtype == np.float32 and not np.all(np.isfinite(weight)):
            raise ValueError(f"weight {name!r} holds values that are not finite")
    batch_norms(graph)
    _check_prefixes(graph, space, slices)
    for architecture in _mixed(space):
        _check_channels(cut(graph, space, slices, architecture, space.tasks))


def _mixed(space: SearchSpace) -> Iterator[Architecture]:
    """Sub-networks that tell the groups apart.

    Every group is at its smallest in one of them and at full width in another, and no two groups
    have the same widths in all of them: groups with the same extremes are numbered, and the bits of
    the number say where each is wide. Groups within others read all of these, since a layer that
    reads a prefix would not notice whose; where there are such, they read prefixes in the last one.
    """
    alike: Counter[tuple[int, int]] = Counter()
    number_G = np.zeros_like(space.choices_G)
    for index, group in enumerate(space.groups):
        if group.within is None and group.smallest < group.full:
            alike[group.smallest, group.full] += 1
            number_G[index] = alike[group.smallest, group.full]
    top_G = space.choices_G - 1
    # Room for one number more, as one whose bits are all set would never be narrow.
    for bit in range((max(alike.values(), default=0) + 1).bit_length()):
        yield space.architecture(np.where((number_G == 0) | (number_G >> bit & 1), top_G, 0))
    if any(g.within for g in space.groups):
        yield space.widest_of_prefixes()


def _check_prefixes(graph: Graph, space: SearchSpace, slices: Slices) -> None:
    groups = {g.name: g for g in space.groups}
    prefixes = {g.name for g in space.groups if g.within}
    readers = graph.readers()
    for name, dims in slices.items():
        used = [axis for axis, dim in enumerate(dims) if not prefixes.isdisjoint(dim)]
        if used and not all(
            node.op_type in INPUT_AXIS
            and node.input[1] == name
            and used == [input_axis(node)]
            and prefix_reader(node, dims, groups) is not None
            for node in readers.get(name, [])
        ):
            raise ValueError(
                f"{name!r}: a group within another may only be, alone, the input dimension of the "
                "weight of a Conv, Gemm or MatMul"
            )


def _check_channels(graph: Graph) -> None:
    """ONNX's own shape inference does not hold a layer's input against its weight."""
    model = infer_shapes(graph)
    shapes = {
        value.name: [d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.value_info, *model.graph.output)
    }
    for node in graph.nodes:
        if node.op_type not in (*INPUT_AXIS, "BatchNormalization"):
            continue
        weight, shape = graph.weights.get(node.input[1]), shapes.get(node.input[0], [])
        if weight is None or len(shape) < 2:
            continue
        expected = _input_channels(node, weight.shape)
        found = shape[-1] if node.op_type in ("Gemm", "MatMul") else shape[1]
        if found not in (0, expected):
            raise ValueError(
                f"{node.op_type} {node.name!r} reads {expected} channels of {node.input[0]!r}, "
                f"which has {found}: the slices do not fit together"
            )


def _input_channels(node: onnx.NodeProto, shape: tuple[int, ...]) -> int:
    if node.op_type == "BatchNormalization":
        return shape[0]
    return shape[input_axis(node)] * int(attributes(node).get("group", 1))

"""Cutting a sub-network out of the SuperNet: the same nodes, sliced weights.

Nothing here looks at values, so a slice is a view of the SuperNet's memory-mapped weights and the
whole step takes about a millisecond.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from model_store.subnet.graph import Graph, attributes, with_attributes
from model_store.subnet.slicing import Dims, take, width
from model_store.subnet.space import Architecture, Group, SearchSpace

Slices = Mapping[str, Dims]
"""Initializer name to one Dim per dimension."""


def cut(
    graph: Graph,
    space: SearchSpace,
    slices: Slices,
    architecture: Architecture,
    tasks: Iterable[str],
) -> Graph:
    """The sub-network of these widths and tasks, batch norm not yet calibrated.

    Decoders of other tasks, and whatever only they used, are gone.

    Args:
        graph: the SuperNet.
        space: its search space.
        slices: what its initializers' dimensions are made of.
        architecture: the channel count of every group.
        tasks: the outputs to keep, in the order they shall have.

    Raises:
        ValueError: an unknown task, or a width that a grouped convolution cannot be cut to.
    """
    kept = graph.keeping(tasks)
    full, channels = space.full_channels, architecture.as_dict()
    groups = {g.name: g for g in space.groups}
    weights: dict[str, NDArray[Any]] = {}
    for name, weight in kept.weights.items():
        dims = slices.get(name)
        weights[name] = weight if dims is None else take(weight, dims, full, channels)
    nodes: list[onnx.NodeProto] = []
    for node in kept.nodes:
        dims = slices.get(node.input[1]) if len(node.input) > 1 else None
        if dims is None or node.op_type not in INPUT_AXIS:
            nodes.append(node)
            continue
        reader = prefix_reader(node, dims, groups)
        if reader is not None and channels[reader.name] < channels[reader.within or ""]:
            prefix, node = _read_prefix(node, channels[reader.name], weights)
            nodes.append(prefix)
        nodes.append(_regrouped(node, dims, full, channels))
    return replace(kept, nodes=tuple(nodes), weights=MappingProxyType(weights))


INPUT_AXIS = {"Conv": 1, "Gemm": 0, "MatMul": 0}
"""Layers, and the axis of their weight that input channels lie on (Gemm with transB has axis 1)."""


def input_axis(node: onnx.NodeProto) -> int:
    """The axis of a layer's weight that its input channels lie on."""
    transposed = node.op_type == "Gemm" and attributes(node).get("transB")
    return 1 if transposed else INPUT_AXIS[node.op_type]


def prefix_reader(node: onnx.NodeProto, dims: Dims, groups: Mapping[str, Group]) -> Group | None:
    """The group whose channels a layer reads as a prefix of a wider tensor, if it is one."""
    dim = dims[input_axis(node)]
    group = groups[dim[0]] if len(dim) == 1 and isinstance(dim[0], str) else None
    return group if group is not None and group.within else None


def _read_prefix(
    node: onnx.NodeProto, channels: int, weights: dict[str, NDArray[Any]]
) -> tuple[onnx.NodeProto, onnx.NodeProto]:
    """A Slice of the first channels (axis 1), and the layer reading it."""
    output = f"{node.output[0]}.prefix"
    bounds = [f"{output}.{bound}" for bound in ("start", "end", "axis")]
    for name, value in zip(bounds, (0, channels, 1), strict=True):
        weights[name] = np.array([value], dtype=np.int64)
    prefix = helper.make_node("Slice", [node.input[0], *bounds], [output], name=output)
    reading = onnx.NodeProto()
    reading.CopyFrom(node)
    reading.input[0] = output
    return prefix, reading


def _regrouped(
    node: onnx.NodeProto, dims: Dims, full: Mapping[str, int], channels: Mapping[str, int]
) -> onnx.NodeProto:
    """A grouped convolution with as many groups as its kept output channels make up."""
    groups = int(attributes(node).get("group", 1)) if node.op_type == "Conv" else 1
    if groups == 1:
        return node
    kept, whole = width(dims[0], channels), width(dims[0], full)
    if groups * kept % whole:
        raise ValueError(
            f"convolution {node.name!r} of {groups} groups and {whole} channels cannot be cut to "
            f"{kept} channels"
        )
    return with_attributes(node, group=groups * kept // whole)

"""An ONNX network with its weights beside it as numpy arrays.

Every step of the extraction maps one :class:`Graph` to another without touching a node or an array
of the first, so that the SuperNet, whose weights are memory-mapped and shared, is never changed.
Slices of weights stay views until the network is written.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 18
"""The operator set of published models and of the sub-networks cut from them."""

IR_VERSION = 10
"""The ONNX file format version that sub-networks are written in."""

INPUT = "image"
"""The input: float32 [N, 3, H, W], RGB in [0, 1]."""

Weights = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes in topological order, weights by name, the input and the outputs."""

    nodes: tuple[onnx.NodeProto, ...]
    weights: Weights
    image: onnx.ValueInfoProto
    outputs: tuple[onnx.ValueInfoProto, ...]

    def keeping(self, names: Iterable[str]) -> "Graph":
        """The graph of these outputs only: whatever only the other outputs used is gone.

        Raises:
            ValueError: there is no such output.
        """
        by_name = {o.name: o for o in self.outputs}
        wanted = list(names)
        if unknown := [n for n in wanted if n not in by_name]:
            raise ValueError(f"unknown outputs {unknown}; there are {sorted(by_name)}")
        return replace(self, outputs=tuple(by_name[n] for n in wanted)).pruned()

    def pruned(self) -> "Graph":
        """The graph without nodes that no output needs and weights that no node reads."""
        needed = {o.name for o in self.outputs}
        nodes: list[onnx.NodeProto] = []
        for node in reversed(self.nodes):
            if not needed.isdisjoint(node.output):
                nodes.append(node)
                needed.update(name for name in node.input if name)
        weights = {name: w for name, w in self.weights.items() if name in needed}
        return replace(self, nodes=tuple(reversed(nodes)), weights=MappingProxyType(weights))

    def readers(self) -> dict[str, list[onnx.NodeProto]]:
        """Tensor name to the nodes that read it; a graph output counts as no reader."""
        found: dict[str, list[onnx.NodeProto]] = {}
        for node in self.nodes:
            for name in node.input:
                found.setdefault(name, []).append(node)
        return found

    def producers(self) -> dict[str, onnx.NodeProto]:
        """Tensor name to the node that writes it."""
        return {name: node for node in self.nodes for name in node.output}


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """The attributes of a node as Python values."""
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def with_attributes(node: onnx.NodeProto, **changed: Any) -> onnx.NodeProto:  # noqa: ANN401
    """A copy of a node with these attributes set."""
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    del copy.attribute[:]
    copy.attribute.extend(a for a in node.attribute if a.name not in changed)
    copy.attribute.extend(helper.make_attribute(k, v) for k, v in changed.items())
    return copy


def infer_shapes(graph: Graph) -> onnx.ModelProto:
    """The ONNX model of a graph without the values of its larger weights.

    Raises:
        ValueError: the shapes of the graph do not fit together.
    """
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "subnet",
            [graph.image],
            graph.outputs,
            [_shape_only(name, weight) for name, weight in graph.weights.items()],
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="slimdial",
    )
    try:
        return onnx.shape_inference.infer_shapes(model, strict_mode=True)
    except onnx.shape_inference.InferenceError as error:
        raise ValueError(f"the graph's shapes do not fit together: {error}") from error


def _shape_only(name: str, weight: NDArray[Any]) -> TensorProto:
    # Values matter to shape inference where they are axes, sizes or scales, which are small.
    if weight.size <= 64 or weight.dtype != np.float32:
        return numpy_helper.from_array(np.ascontiguousarray(weight), name)
    return TensorProto(name=name, dims=weight.shape, data_type=TensorProto.FLOAT)

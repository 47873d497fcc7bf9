"""``supernet.onnx`` and its weights: from a file's message and bytes to a :class:`Graph`, and back.

The graph may come from anywhere. What is refused here: anything but plain nodes of the default
operator set (no functions, no nested graphs), weights anywhere but in the one data file, and
weights that do not lie within it.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from model_store.subnet.graph import INPUT, OPSET, Graph

DATA_FILE = "supernet.onnx.data"
"""The only place where external weights may be."""

_EXTERNAL_FROM = 256
"""Weights of fewer bytes stay in the graph's own file."""

_ALIGNMENT = 64
"""Weights start at multiples of this many bytes, as vector instructions like them."""

Shape = tuple[int | None, ...]
"""The dimensions of a tensor but for the batch; None where any size will do."""

_DTYPES: dict[int, Any] = {
    TensorProto.FLOAT: np.dtype("<f4"),
    TensorProto.INT64: np.dtype("<i8"),
    TensorProto.INT32: np.dtype("<i4"),
    TensorProto.BOOL: np.dtype("?"),
}
_NESTED = (
    AttributeProto.GRAPH,
    AttributeProto.GRAPHS,
    AttributeProto.SPARSE_TENSOR,
    AttributeProto.SPARSE_TENSORS,
)


def read_graph(
    model: onnx.ModelProto, data: NDArray[np.uint8], image: Shape, outputs: Mapping[str, Shape]
) -> Graph:
    """The SuperNet's graph, its weights being read-only views into ``data`` where they lie there.

    Args:
        model: ``supernet.onnx``, its external data not loaded.
        data: the bytes of ``supernet.onnx.data``, typically memory-mapped, shape [bytes].
        image: the shape of the input that is expected.
        outputs: the names of the outputs that are expected, in order, and their shapes.

    Raises:
        ValueError: see the module's description; or the input or the outputs are not as expected.
    """
    graph = model.graph
    opsets = {o.domain: o.version for o in model.opset_import}
    if opsets != {"": OPSET}:
        raise ValueError(f"operator set {OPSET} of the default domain expected, found {opsets}")
    if model.functions or model.training_info or graph.sparse_initializer:
        raise ValueError("functions, training graphs and sparse weights are not allowed")
    nodes = tuple(_plain(node) for node in graph.node)
    _check_interface(graph, image, outputs)
    weights = {t.name: _weight(t, data) for t in graph.initializer}
    if len(weights) != len(graph.initializer):
        raise ValueError("initializer names must be unique")
    found = Graph(nodes, MappingProxyType(weights), graph.input[0], tuple(graph.output))
    _check_order(found)
    return found


def _plain(node: onnx.NodeProto) -> onnx.NodeProto:
    if node.domain not in ("", "ai.onnx"):
        raise ValueError(f"node {node.name!r} is of the unknown domain {node.domain!r}")
    for attribute in node.attribute:
        tensors = [*attribute.tensors, *([attribute.t] if attribute.HasField("t") else [])]
        if attribute.type in _NESTED or any(_is_external(t) for t in tensors):
            raise ValueError(f"node {node.name!r} holds a nested graph or external data")
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    # Exporters leave stack traces here; they tell about the machine, not about the network.
    copy.ClearField("doc_string")
    copy.ClearField("metadata_props")
    return copy


def _check_interface(graph: onnx.GraphProto, image: Shape, outputs: Mapping[str, Shape]) -> None:
    if [i.name for i in graph.input] != [INPUT]:
        raise ValueError(f"one input {INPUT!r} expected, found {[i.name for i in graph.input]}")
    if [o.name for o in graph.output] != list(outputs):
        names = [o.name for o in graph.output]
        raise ValueError(f"outputs {list(outputs)} expected, found {names}")
    for value in (*graph.input, *graph.output):
        _check_shape(value, image if value.name == INPUT else outputs[value.name])


def _check_shape(value: onnx.ValueInfoProto, expected: Shape) -> None:
    tensor = value.type.tensor_type
    found = [d.dim_value or d.dim_param for d in tensor.shape.dim]
    fits = len(found) == 1 + len(expected) and all(
        size == wanted or (wanted is None and isinstance(size, int))
        for size, wanted in zip(found[1:], expected, strict=True)
    )
    if not fits or not tensor.shape.dim[0].dim_param or tensor.elem_type != TensorProto.FLOAT:
        sizes = ", ".join("any" if wanted is None else str(wanted) for wanted in expected)
        raise ValueError(
            f"{value.name!r} must be float32 [N, {sizes}] with a symbolic N, found "
            f"{TensorProto.DataType.Name(tensor.elem_type)} [{', '.join(map(str, found))}]"
        )


def _check_order(graph: Graph) -> None:
    known = {"", INPUT, *graph.weights}
    for node in graph.nodes:
        if unknown := set(node.input) - known:
            raise ValueError(f"node {node.name!r} reads {sorted(unknown)}, which nothing wrote")
        known.update(node.output)
    if unknown := {o.name for o in graph.outputs} - known:
        raise ValueError(f"nothing writes the outputs {sorted(unknown)}")


def _is_external(tensor: TensorProto) -> bool:
    return bool(tensor.external_data) or tensor.data_location == TensorProto.EXTERNAL


def _weight(tensor: TensorProto, data: NDArray[np.uint8]) -> NDArray[Any]:
    dtype = _DTYPES.get(tensor.data_type)
    if dtype is None:
        raise ValueError(f"weight {tensor.name!r} is of the unsupported type {tensor.data_type}")
    shape = tuple(tensor.dims)
    if any(d < 0 for d in shape):
        raise ValueError(f"weight {tensor.name!r} has the impossible shape {shape}")
    if not _is_external(tensor):
        # Raises ValueError where the shape and the bytes disagree.
        array = numpy_helper.to_array(tensor).copy()
        array.flags.writeable = False
        return array
    entries = {e.key: e.value for e in tensor.external_data}
    if entries.get("location") != DATA_FILE:
        raise ValueError(
            f"weight {tensor.name!r} lies in {entries.get('location')!r}, outside {DATA_FILE}"
        )
    size = int(np.prod(shape, dtype=object)) * dtype.itemsize
    try:
        offset, length = int(entries.get("offset", "0")), int(entries["length"])
    except (KeyError, ValueError) as error:
        raise ValueError(f"weight {tensor.name!r} has no valid offset and length") from error
    if length != size or offset < 0 or offset + length > data.size:
        raise ValueError(
            f"weight {tensor.name!r} of shape {shape} takes {size} bytes; bytes {offset} to "
            f"{offset + length} of {data.size} are given"
        )
    found: NDArray[Any] = data[offset : offset + length].view(dtype).reshape(shape)
    return found


def split_weights(model: onnx.ModelProto) -> tuple[bytes, bytes]:
    """The contents of ``supernet.onnx`` and ``supernet.onnx.data`` for a model with weights inside.

    Args:
        model: a model below protobuf's 2 GB limit. It is not changed.
    """
    outside = onnx.ModelProto()
    outside.CopyFrom(model)
    data = bytearray()
    for tensor in outside.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.nbytes < _EXTERNAL_FROM:
            continue
        data.extend(bytes(-len(data) % _ALIGNMENT))
        raw = array.astype(array.dtype.newbyteorder("<")).tobytes()
        tensor.CopyFrom(
            TensorProto(
                name=tensor.name,
                dims=array.shape,
                data_type=helper.np_dtype_to_tensor_dtype(array.dtype),
                data_location=TensorProto.EXTERNAL,
            )
        )
        for key, value in (("location", DATA_FILE), ("offset", len(data)), ("length", len(raw))):
            tensor.external_data.add(key=key, value=str(value))
        data.extend(raw)
    return outside.SerializeToString(deterministic=True), bytes(data)

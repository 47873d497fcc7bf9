"""Writing a graph as the bytes of an ONNX file, weights inside.

The weights are most of a file, and protobuf's own serialisation copies them several times (0.1 to
0.5 s for 50 to 140 MB). Here they are copied once: the small messages around them are serialised
as usual, and joined with the arrays' memory by the rules of the wire format
(https://protobuf.dev/programming-guides/encoding/), which are few: a field is its tag, its length
and its content, and the fields of a message may come in any order.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from model_store.subnet.graph import Graph, infer_shapes

_MODEL_GRAPH = onnx.ModelProto.GRAPH_FIELD_NUMBER
_GRAPH_INITIALIZER = onnx.GraphProto.INITIALIZER_FIELD_NUMBER
_TENSOR_RAW_DATA = TensorProto.RAW_DATA_FIELD_NUMBER

_LENGTH_DELIMITED = 2

Buffer = bytes | memoryview


def serialise(graph: Graph, metadata: Mapping[str, str] | None = None) -> bytes:
    """The bytes of an ONNX model: weights inside, the shape of every tensor inferred.

    Args:
        graph: what to write.
        metadata: stamped into ``metadata_props``, sorted by key.

    Raises:
        ValueError: the shapes of the graph do not fit together.
    """
    return b"".join(_file(graph, metadata))


def serialised_bytes(graph: Graph, metadata: Mapping[str, str] | None = None) -> int:
    """The length of what :func:`serialise` writes, without copying the weights."""
    return _length(_file(graph, metadata))


def _file(graph: Graph, metadata: Mapping[str, str] | None) -> list[Buffer]:
    model = infer_shapes(graph)
    helper.set_model_props(model, dict(sorted((metadata or {}).items())))
    model.graph.ClearField("initializer")
    inner: list[Buffer] = [model.graph.SerializeToString(deterministic=True)]
    for name, weight in graph.weights.items():
        tensor = list(_tensor(name, weight))
        inner += [_head(_GRAPH_INITIALIZER, _length(tensor)), *tensor]
    model.ClearField("graph")
    outer = model.SerializeToString(deterministic=True)
    return [outer, _head(_MODEL_GRAPH, _length(inner)), *inner]


def _tensor(name: str, weight: NDArray[Any]) -> Iterator[Buffer]:
    yield TensorProto(
        name=name,
        dims=weight.shape,
        data_type=helper.np_dtype_to_tensor_dtype(weight.dtype),
    ).SerializeToString(deterministic=True)
    little_endian = weight.astype(weight.dtype.newbyteorder("<"), order="C", copy=False)
    content = little_endian.reshape(-1).view(np.uint8).data
    yield _head(_TENSOR_RAW_DATA, content.nbytes)
    yield content


def _length(parts: list[Buffer]) -> int:
    return sum(p.nbytes if isinstance(p, memoryview) else len(p) for p in parts)


def _head(field: int, length: int) -> bytes:
    """The tag and the length of a length-delimited field."""
    return _varint(field << 3 | _LENGTH_DELIMITED) + _varint(length)


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; the top bit says that more follow."""
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)

"""The bytes that are written are those of an ONNX file, as onnx itself reads it."""

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from model_store.published import PublishedModel
from model_store.subnet.graph import Graph
from model_store.subnet.wire import serialise


def adding(weight: NDArray[Any]) -> Graph:
    """A graph that carries one weight beside what it computes."""
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, 8, 8])
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3, 8, 8])
    node = helper.make_node("Relu", ["image"], ["y"])
    return Graph((node,), {"w": weight}, image, (output,))


@pytest.mark.parametrize(
    "shape",
    # Lengths around which the length of a length changes: 127 and 16383 bytes.
    [(), (0,), (1,), (31,), (32,), (4095,), (4096,), (3, 5, 1, 2), (1 << 20,)],
)
@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.bool_])
def test_weights_are_read_back_as_they_are(shape: tuple[int, ...], dtype: type) -> None:
    weight: NDArray[Any] = np.random.default_rng(0).integers(0, 2, shape).astype(dtype)
    model = onnx.load_model_from_string(serialise(adding(weight)))
    onnx.checker.check_model(model)
    (tensor,) = model.graph.initializer
    found = numpy_helper.to_array(tensor)
    assert tensor.name == "w"
    assert found.dtype == weight.dtype
    np.testing.assert_array_equal(found, weight)


def test_views_with_gaps_are_written_without_them() -> None:
    weight = np.arange(48, dtype=np.float32).reshape(6, 8)[::2, :3]
    model = onnx.load_model_from_string(serialise(adding(weight)))
    np.testing.assert_array_equal(numpy_helper.to_array(model.graph.initializer[0]), weight)


def test_nothing_but_the_order_of_fields_differs_from_what_onnx_writes(
    tiny: PublishedModel,
) -> None:
    content = serialise(tiny.graph, {"key": "value"})
    model = onnx.load_model_from_string(content)
    again = model.SerializeToString(deterministic=True)
    assert len(again) == len(content)
    assert onnx.load_model_from_string(again) == model
    onnx.checker.check_model(content, full_check=True)


def test_the_same_graph_gives_the_same_bytes(tiny: PublishedModel) -> None:
    assert serialise(tiny.graph, {"b": "1", "a": "2"}) == serialise(
        tiny.graph, {"a": "2", "b": "1"}
    )

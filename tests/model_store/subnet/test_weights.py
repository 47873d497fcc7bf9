"""What is read from ``supernet.onnx``, and what is refused."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from model_store.subnet.graph import Graph
from model_store.subnet.weights import DATA_FILE, read_graph, split_weights
from tests.tiny_network import SIZE, TinyNetwork

IMAGE = (3, SIZE, SIZE)
OUTPUTS = {
    "animals": (3,),
    "semseg": (4, None, None),
    "depth": (1, None, None),
    "normals": (3, None, None),
    "edges": (1, None, None),
    "saliency": (1, None, None),
}


def stored() -> tuple[onnx.ModelProto, np.ndarray[tuple[int], np.dtype[np.uint8]]]:
    """The tiny SuperNet as it lies on disk: the graph's message, and the bytes of its weights."""
    graph, data = split_weights(TinyNetwork(0).model())
    return onnx.load_model_from_string(graph), np.frombuffer(data, np.uint8)


def read() -> Graph:
    return read_graph(*stored(), IMAGE, OUTPUTS)


def test_weights_survive_the_way_to_disk_and_back() -> None:
    expected = TinyNetwork(0).weights
    found = read().weights
    assert set(found) == set(expected)
    for name, weight in expected.items():
        np.testing.assert_array_equal(found[name], weight)
        assert found[name].dtype == weight.dtype


def test_large_weights_are_read_only_views_of_the_data_file() -> None:
    model, data = stored()
    weight = read_graph(model, data, IMAGE, OUTPUTS).weights["block.1.weight"]
    assert np.shares_memory(weight, data)
    assert not weight.flags.writeable


def test_the_graph_file_holds_no_large_weight() -> None:
    model, data = stored()
    assert model.ByteSize() < data.size
    assert all(len(t.raw_data) < 256 for t in model.graph.initializer)


def test_stack_traces_of_the_exporter_are_dropped() -> None:
    model, data = stored()
    model.graph.node[0].doc_string = "File /home/somebody/train.py"
    model.graph.node[0].metadata_props.add(key="stack_trace", value="/home/somebody")
    node = read_graph(model, data, IMAGE, OUTPUTS).nodes[0]
    assert not node.doc_string
    assert not node.metadata_props


def _external(model: onnx.ModelProto) -> TensorProto:
    external = [t for t in model.graph.initializer if t.data_location == TensorProto.EXTERNAL]
    tensor: TensorProto = external[0]
    return tensor


def _entry(key: str, value: str) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        next(e for e in _external(model).external_data if e.key == key).value = value

    return change


def _outside_attribute(model: onnx.ModelProto) -> None:
    tensor = TensorProto(data_type=TensorProto.FLOAT, dims=[1], name="t")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    model.graph.node.insert(0, helper.make_node("Constant", [], ["secret"]))
    model.graph.node[0].attribute.add(name="value", t=tensor, type=onnx.AttributeProto.TENSOR)


def _nested_graph(model: onnx.ModelProto) -> None:
    empty = helper.make_graph([], "empty", [], [])
    model.graph.node.append(helper.make_node("If", ["image"], ["i"], then_branch=empty))


def _function(model: onnx.ModelProto) -> None:
    opset = helper.make_opsetid("", 18)
    model.functions.append(helper.make_function("custom", "F", [], [], [], [opset]))


def _twice(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(model.graph.initializer[0])


def _cut_short(model: onnx.ModelProto) -> None:
    inline = next(t for t in model.graph.initializer if t.raw_data)
    inline.raw_data = inline.raw_data[:-4]


def _strings(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.array(["a"], object), "text"))


def _shape(model: onnx.ModelProto) -> None:
    _external(model).dims[0] = 1 << 40


def _negative(model: onnx.ModelProto) -> None:
    _external(model).dims[0] = -1


def _opset(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 99


def _domain(model: onnx.ModelProto) -> None:
    model.graph.node[0].domain = "com.example"


def _input_name(model: onnx.ModelProto) -> None:
    model.graph.input[0].name = "x"


def _dims(value: onnx.ValueInfoProto) -> Any:  # noqa: ANN401
    return value.type.tensor_type.shape.dim


def _fixed_batch(model: onnx.ModelProto) -> None:
    _dims(model.graph.input[0])[0].dim_value = 1


def _grey(model: onnx.ModelProto) -> None:
    _dims(model.graph.input[0])[1].dim_value = 1


def _wide(model: onnx.ModelProto) -> None:
    _dims(model.graph.input[0])[3].dim_value = 48


def _any_height(model: onnx.ModelProto) -> None:
    _dims(model.graph.input[0])[2].dim_param = "H"


def _double(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.DOUBLE


def _fixed_output_batch(model: onnx.ModelProto) -> None:
    _dims(model.graph.output[1])[0].dim_value = 1


def _fewer_classes(model: onnx.ModelProto) -> None:
    _dims(model.graph.output[0])[1].dim_value = 2


def _classes_of_pixels(model: onnx.ModelProto) -> None:
    _dims(model.graph.output[0]).extend(_dims(model.graph.output[1])[2:])


def _no_map(model: onnx.ModelProto) -> None:
    del _dims(model.graph.output[1])[2:]


def _map_of_any_width(model: onnx.ModelProto) -> None:
    _dims(model.graph.output[1])[3].dim_param = "W"


def _no_shape(model: onnx.ModelProto) -> None:
    model.graph.output[1].type.tensor_type.ClearField("shape")


def _output_name(model: onnx.ModelProto) -> None:
    model.graph.output[0].name = "other"


def _unwritten(model: onnx.ModelProto) -> None:
    del model.graph.node[-1]


def _unordered(model: onnx.ModelProto) -> None:
    first = onnx.NodeProto()
    first.CopyFrom(model.graph.node[0])
    del model.graph.node[0]
    model.graph.node.append(first)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_entry("location", "../../etc/passwd"), f"outside {DATA_FILE}"),
        (_entry("location", "/etc/passwd"), f"outside {DATA_FILE}"),
        (_entry("offset", str(1 << 40)), "bytes"),
        (_entry("offset", "-64"), "bytes"),
        (_entry("length", "many"), "offset and length"),
        (_entry("length", "4"), "takes"),
        (_outside_attribute, "external data"),
        (_nested_graph, "nested graph"),
        (_function, "functions"),
        (_twice, "unique"),
        (_cut_short, "elements|size|reshape|buffer"),
        (_strings, "unsupported type"),
        (_shape, "takes"),
        (_negative, "impossible shape"),
        (_opset, "operator set 18"),
        (_domain, "unknown domain 'com.example'"),
        (_input_name, "one input 'image'"),
        (_fixed_batch, r"with a symbolic N, found FLOAT \[1, 3, 32, 32\]"),
        (_grey, r"'image' must be float32 \[N, 3, 32, 32\] .* found FLOAT \[N, 1, 32, 32\]"),
        (_wide, r"'image' .* found FLOAT \[N, 3, 32, 48\]"),
        (_any_height, r"'image' .* found FLOAT \[N, 3, H, 32\]"),
        (_double, r"'image' .* found DOUBLE \[N, 3, 32, 32\]"),
        (_fixed_output_batch, r"'semseg' .* found FLOAT \[1, 4, 32, 32\]"),
        (_fewer_classes, r"'animals' must be float32 \[N, 3\] .* found FLOAT \[N, 2\]"),
        (_classes_of_pixels, r"'animals' .* found FLOAT \[N, 3, 32, 32\]"),
        (_no_map, r"'semseg' must be float32 \[N, 4, any, any\] .* found FLOAT \[N, 4\]"),
        (_map_of_any_width, r"'semseg' .* found FLOAT \[N, 4, 32, W\]"),
        (_no_shape, r"'semseg' .* found FLOAT \[\]"),
        (_output_name, "outputs"),
        (_unwritten, "nothing writes"),
        (_unordered, "which nothing wrote"),
    ],
)
def test_a_hostile_or_broken_graph_is_refused(
    change: Callable[[onnx.ModelProto], None], reason: str
) -> None:
    model, data = stored()
    change(model)
    with pytest.raises(ValueError, match=reason):
        read_graph(model, data, IMAGE, OUTPUTS)


def test_a_truncated_data_file_is_refused() -> None:
    model, data = stored()
    with pytest.raises(ValueError, match="bytes"):
        read_graph(model, data[:-1], IMAGE, OUTPUTS)

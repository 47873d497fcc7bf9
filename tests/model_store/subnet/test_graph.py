"""Graphs: what is kept of one, and what is left behind."""

import numpy as np
import pytest
from onnx import TensorProto, ValueInfoProto, helper

from model_store.subnet.graph import Graph, attributes, infer_shapes, with_attributes


def value(name: str, channels: int = 3) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", channels, 8, 8])


def fork() -> Graph:
    """``image`` -> ``trunk`` -> ``left`` and ``right``, each with a weight of its own."""
    weights = {n: np.ones((3, 1, 1), np.float32) for n in ("shared", "of_left", "of_right")}
    nodes = (
        helper.make_node("Mul", ["image", "shared"], ["trunk"]),
        helper.make_node("Mul", ["trunk", "of_left"], ["left"]),
        # Optional inputs and outputs that are left out have empty names.
        helper.make_node("Clip", ["trunk", "", "limit"], ["clipped"]),
        helper.make_node("Mul", ["clipped", "of_right"], ["right"]),
        helper.make_node("Dropout", ["trunk"], ["unread", ""]),
    )
    limit = {"limit": np.array(6.0, np.float32)}
    return Graph(nodes, {**weights, **limit}, value("image"), (value("left"), value("right")))


def test_keeping_an_output_keeps_what_it_needs_and_nothing_else() -> None:
    left = fork().keeping(["left"])
    assert [n.output[0] for n in left.nodes] == ["trunk", "left"]
    assert set(left.weights) == {"shared", "of_left"}


def test_what_no_output_needs_is_pruned() -> None:
    pruned = fork().pruned()
    assert [n.output[0] for n in pruned.nodes] == ["trunk", "left", "clipped", "right"]


def test_keeping_leaves_the_graph_it_was_given_alone() -> None:
    graph = fork()
    graph.keeping(["left"])
    assert len(graph.nodes) == 5
    assert len(graph.weights) == 4


def test_readers_and_producers() -> None:
    graph = fork()
    assert [n.op_type for n in graph.readers()["trunk"]] == ["Mul", "Clip", "Dropout"]
    assert graph.producers()["clipped"].op_type == "Clip"
    assert "left" not in graph.readers()


def test_attributes_are_changed_in_a_copy() -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"], group=4, kernel_shape=[3, 3])
    changed = with_attributes(node, group=2)
    assert attributes(changed) == {"group": 2, "kernel_shape": [3, 3]}
    assert attributes(node)["group"] == 4


def test_shapes_that_do_not_fit_together_are_refused() -> None:
    graph = fork()
    broken = Graph(
        graph.nodes,
        {**graph.weights, "of_left": np.ones((2, 1, 1), np.float32)},
        graph.image,
        graph.outputs,
    )
    with pytest.raises(ValueError, match="shapes do not fit together"):
        infer_shapes(broken.pruned())

"""Pooling of batch statistics and folding of batch norm."""

from dataclasses import replace

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper

from model_store.subnet.graph import Graph
from model_store.subnet.normalisation import batch_norms, fold, observing, pool
from model_store.subnet.wire import serialise

CHANNELS = 4


def run(graph: Graph, x: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    session = ort.InferenceSession(serialise(graph))
    found: list[NDArray[np.float32]] = session.run(None, {"image": x})
    return found


def block(*, bias: bool = False, tapped: bool = False) -> Graph:
    """Convolution and batch norm; ``tapped`` adds an output in between."""
    rng = np.random.default_rng(0)
    weights = {
        "conv.weight": rng.normal(size=(CHANNELS, 3, 3, 3)),
        "conv.bias": rng.normal(size=CHANNELS),
        "bn.weight": rng.uniform(0.5, 2.0, CHANNELS),
        "bn.bias": rng.normal(size=CHANNELS),
        "bn.mean": np.full(CHANNELS, 7.0),
        "bn.var": np.full(CHANNELS, 7.0),
    }
    norm = ["bn.weight", "bn.bias", "bn.mean", "bn.var"]
    nodes = (
        helper.make_node(
            "Conv", ["image", "conv.weight", *(["conv.bias"] if bias else [])], ["x"], pads=[1] * 4
        ),
        helper.make_node("BatchNormalization", ["x", *norm], ["y"], epsilon=1e-3),
    )
    shape: list[str | int | None] = ["N", CHANNELS, 8, 8]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)]
    if tapped:
        outputs.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, shape))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, 8, 8])
    arrays = {name: w.astype(np.float32) for name, w in weights.items()}
    return Graph(nodes, arrays, image, tuple(outputs)).pruned()


def some_images() -> NDArray[np.float32]:
    return np.random.default_rng(1).normal(2.0, 3.0, (5, 3, 8, 8)).astype(np.float32)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(0, 2**32 - 1))
def test_pooled_moments_are_those_of_all_values_together(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    # Batches far apart: the mean of their variances would miss most of the spread.
    values = [rng.normal(rng.normal(0, 100), 1, (n, CHANNELS, 6)) for n in sizes]
    batches = [(n, [x.mean((0, 2)), x.var((0, 2))]) for n, x in zip(sizes, values, strict=True)]
    together = np.concatenate(values)
    ((mean, var),) = pool(batches)
    np.testing.assert_allclose(mean, together.mean((0, 2)), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(var, together.var((0, 2)), rtol=1e-9)


def test_observed_statistics_are_the_biased_moments_of_the_batch() -> None:
    x = some_images()
    graph = block(bias=True, tapped=True)
    mean, var = run(observing(graph), x)
    convolved = run(replace(graph, outputs=graph.outputs[1:]).pruned(), x)[0].astype(np.float64)
    np.testing.assert_allclose(mean, convolved.mean((0, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(var, convolved.var((0, 2, 3)), rtol=1e-5)


def moments() -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    rng = np.random.default_rng(2)
    return {"bn": (rng.normal(size=CHANNELS), rng.uniform(0.1, 3.0, CHANNELS))}


def by_definition(graph: Graph) -> NDArray[np.float64]:
    """Convolution through ONNX Runtime, batch norm in float64 from its formula."""
    tapped = replace(graph, outputs=block(tapped=True).outputs[1:]).pruned()
    x = run(tapped, some_images())[0].astype(np.float64)
    mean, var = (m.reshape(-1, 1, 1) for m in moments()["bn"])
    scale, shift = (graph.weights[f"bn.{p}"].reshape(-1, 1, 1) for p in ("weight", "bias"))
    y: NDArray[np.float64] = (x - mean) / np.sqrt(var + 1e-3) * scale + shift
    return y


@pytest.mark.parametrize("bias", [False, True])
def test_a_batch_norm_vanishes_into_the_convolution_before_it(bias: bool) -> None:
    graph = block(bias=bias)
    folded = fold(graph, moments())
    assert [n.op_type for n in folded.nodes] == ["Conv"]
    assert set(folded.weights) == {"conv.weight", "bn.bias"}
    expected = by_definition(graph)
    np.testing.assert_allclose(run(folded, some_images())[0], expected, rtol=1e-4, atol=1e-4)


def test_a_batch_norm_stays_where_others_read_what_it_normalises() -> None:
    graph = block(tapped=True)
    folded = fold(graph, moments())
    assert [n.op_type for n in folded.nodes] == ["Conv", "BatchNormalization"]
    y, _ = run(folded, some_images())
    np.testing.assert_allclose(y, by_definition(graph), rtol=1e-4, atol=1e-4)


def test_folding_leaves_the_graph_it_was_given_alone() -> None:
    graph = block(bias=True)
    before = {name: w.copy() for name, w in graph.weights.items()}
    nodes = [n.SerializeToString() for n in graph.nodes]
    fold(graph, moments())
    observing(graph)
    assert [n.SerializeToString() for n in graph.nodes] == nodes
    for name, weight in graph.weights.items():
        np.testing.assert_array_equal(weight, before[name])


def test_batch_norms_are_named_after_their_scales() -> None:
    assert list(batch_norms(block())) == ["bn"]


def with_second_norm(parameters: list[str]) -> Graph:
    """The block, and after it a batch norm of these parameters."""
    graph = block()
    weights = {
        name: np.ones(CHANNELS, np.float32) for name in parameters if name not in graph.weights
    }
    second = helper.make_node("BatchNormalization", ["y", *parameters], ["z"], "second")
    return replace(graph, nodes=(*graph.nodes, second), weights={**graph.weights, **weights})


def test_two_batch_norms_of_one_name_are_refused() -> None:
    graph = with_second_norm(["bn.scale", "bn.shift", "bn.mean_2", "bn.var_2"])
    with pytest.raises(ValueError, match="two batch norms are named 'bn'"):
        batch_norms(graph)


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("shared", ["bn.weight", "bn.bias", "bn.mean", "bn.var"])
def test_batch_norms_that_share_a_parameter_are_refused(place: int, shared: str) -> None:
    parameters = ["other.weight", "other.bias", "other.mean", "other.var"]
    parameters[place] = shared
    with pytest.raises(ValueError, match=rf"parameters of its own, found \['{shared}'\] shared"):
        batch_norms(with_second_norm(parameters))


def test_a_batch_norm_whose_parameter_something_else_reads_is_refused() -> None:
    graph = block()
    scaled = helper.make_node("Mul", ["y", "bn.bias"], ["z"])
    with pytest.raises(ValueError, match=r"found \['bn.bias'\] shared"):
        batch_norms(replace(graph, nodes=(*graph.nodes, scaled)))


def test_a_batch_norm_whose_mean_is_its_variance_is_refused() -> None:
    mixed = ["other.weight", "other.bias", "other.mean", "other.mean"]
    with pytest.raises(ValueError, match=r"batch norm 'second' .* \['other.mean', 'other.mean'\]"):
        batch_norms(with_second_norm(mixed))


def test_batch_norms_with_computed_parameters_are_refused() -> None:
    graph = block()
    weights = {k: w for k, w in graph.weights.items() if k != "bn.weight"}
    with pytest.raises(ValueError, match="no initializers"):
        batch_norms(replace(graph, weights=weights))

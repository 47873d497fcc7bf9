"""Slices that do not fit the graph are found before anything is cut."""

import itertools
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from onnx import helper

from model_store.published import PublishedModel
from model_store.subnet.slicing import Dims
from model_store.subnet.soundness import check_sliceable
from model_store.subnet.space import SearchSpace


def test_the_tiny_model_is_sound(tiny: PublishedModel) -> None:
    check_sliceable(tiny.graph, tiny.space, tiny.manifest.slices)


@pytest.mark.parametrize(
    ("name", "dims", "reason"),
    [
        ("nothing.weight", ((),), "is no initializer"),
        ("stem.bias", (("block",),), "do not fit its shape"),
        ("stem.bias", (("stem",), ()), "do not fit its shape"),
        ("stem.bias", (("animals",),), "a group within another"),
        ("block.1.weight", (("block",), (), (), ()), "reads 16 channels of .*, which has 4"),
        ("block.1.bn.var", ((),), "do not fit together"),
        ("block.1.weight", ((), ("stem",), (), ()), "do not fit together"),
        ("stage.weight", (("stage",), (), (), ()), "reads 32 channels of .*, which has 8"),
        ("animals.weight", ((), ()), "do not fit together"),
    ],
)
def test_slices_that_do_not_fit_the_graph_are_refused(
    tiny: PublishedModel, name: str, dims: Dims, reason: str
) -> None:
    slices: Mapping[str, Dims] = {**tiny.manifest.slices, name: dims}
    with pytest.raises(ValueError, match=reason):
        check_sliceable(tiny.graph, tiny.space, slices)


# Convolutions whose outputs are cut by groups that are 4 to 16 channels wide, all in equal steps.
ALIKE = {"stem": "stem", "stage": "stage"} | {
    task: f"{task}.mix" for task in ("semseg", "depth", "normals", "edges", "saliency")
}


@pytest.mark.parametrize(("group", "other"), list(itertools.permutations(ALIKE, 2)))
def test_a_group_does_not_pass_for_another_of_the_same_widths(
    tiny: PublishedModel, group: str, other: str
) -> None:
    name = f"{ALIKE[group]}.weight"
    (outputs, *rest) = tiny.manifest.slices[name]
    assert outputs == (group,)
    slices = {**tiny.manifest.slices, name: ((other,), *rest)}
    with pytest.raises(ValueError, match="do not fit together"):
        check_sliceable(tiny.graph, tiny.space, slices)


def test_a_prefix_is_read_of_the_group_that_is_named(tiny: PublishedModel) -> None:
    groups = [replace(g, within="stem") if g.within else g for g in tiny.space.groups]
    with pytest.raises(ValueError, match=r"node name: animals.*: .* between 16 and 4"):
        check_sliceable(tiny.graph, SearchSpace(tuple(groups)), tiny.manifest.slices)


def test_a_prefix_is_one_of_channels(tiny: PublishedModel) -> None:
    """Of a layer whose channels come last, what is axis 1 to others is its height."""
    features = next(n.input[0] for n in tiny.graph.nodes if n.op_type == "GlobalAveragePool")
    last = (
        helper.make_node("Transpose", [features], ["channels_last"], perm=[0, 2, 3, 1]),
        helper.make_node("MatMul", ["channels_last", "matrix"], ["product"], "product"),
        helper.make_node("ReduceMean", ["product", "places"], ["animals"], keepdims=0),
    )
    nodes = (*(n for n in tiny.graph.nodes if n.output[0] != "animals"), *last)
    weights = {
        **tiny.graph.weights,
        "matrix": np.ones((16, 3), np.float32),
        "places": np.array([1, 2]),
    }
    slices = {**tiny.manifest.slices, "matrix": (("animals",), ())}
    graph = replace(tiny.graph, nodes=nodes, weights=weights)
    with pytest.raises(ValueError, match=r"node name: product.*: .* Incompatible dimensions"):
        check_sliceable(graph, tiny.space, slices)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(tiny: PublishedModel, value: float) -> None:
    spoilt = tiny.graph.weights["stem.weight"].copy()
    spoilt[0, 0, 0, 0] = value
    graph = replace(tiny.graph, weights={**tiny.graph.weights, "stem.weight": spoilt})
    with pytest.raises(ValueError, match=r"'stem.weight' holds values that are not finite"):
        check_sliceable(graph, tiny.space, tiny.manifest.slices)

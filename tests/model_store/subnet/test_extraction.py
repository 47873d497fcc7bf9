"""Cutting sub-networks out of the SuperNet: widths, tasks, names, and what is left of the rest."""

import numpy as np
import onnx
import onnxruntime as ort  # type: ignore[import-untyped]
import pytest
from numpy.typing import NDArray

from model_store.published import PublishedModel
from model_store.subnet.extraction import cut
from model_store.subnet.graph import Graph, attributes
from model_store.subnet.space import Architecture
from model_store.subnet.wire import serialise
from tests.tiny import tiny_images

TASKS = ("animals", "semseg", "depth", "normals", "edges", "saliency")


def run(graph: Graph, images: int = 3) -> dict[str, NDArray[np.float32]]:
    session = ort.InferenceSession(serialise(graph))
    image_NCHW = tiny_images(images, 7).transpose(0, 3, 1, 2).astype(np.float32) / 255
    names = [o.name for o in session.get_outputs()]
    return dict(zip(names, session.run(names, {"image": image_NCHW}), strict=True))


def written(graph: Graph, metadata: dict[str, str] | None = None) -> onnx.ModelProto:
    return onnx.load_model_from_string(serialise(graph, metadata))


def subnet(
    model: PublishedModel, architecture: Architecture, tasks: tuple[str, ...] = TASKS
) -> Graph:
    return cut(model.graph, model.space, model.manifest.slices, architecture, tasks)


def some(model: PublishedModel, seed: int = 3) -> Architecture:
    return model.space.random(np.random.default_rng(seed))


def test_at_full_width_the_sub_network_is_the_supernet(tiny: PublishedModel) -> None:
    found = run(subnet(tiny, tiny.space.largest()))
    expected = run(tiny.graph)
    for task in TASKS:
        np.testing.assert_array_equal(found[task], expected[task])


@pytest.mark.parametrize("kept", [("depth",), ("animals",), ("semseg", "edges")], ids=" ".join)
def test_dropping_tasks_leaves_the_outputs_of_the_others_alone(
    tiny: PublishedModel, kept: tuple[str, ...]
) -> None:
    all_tasks = run(subnet(tiny, some(tiny)))
    found = run(subnet(tiny, some(tiny), kept))
    assert tuple(found) == kept
    for task in kept:
        np.testing.assert_allclose(found[task], all_tasks[task], rtol=1e-5, atol=1e-6)


def test_a_dropped_task_leaves_nothing_behind(tiny: PublishedModel) -> None:
    model = written(subnet(tiny, some(tiny), ("animals",)))
    dropped = ("semseg.", "depth.", "normals.", "edges.", "saliency.")
    names = [t.name for t in model.graph.initializer]
    names += [n for node in model.graph.node for n in (*node.input, *node.output)]
    assert not [n for n in names if n.startswith(dropped)]
    read = {i for node in model.graph.node for i in node.input}
    assert {t.name for t in model.graph.initializer} <= read


def test_outputs_come_in_the_order_that_was_asked_for(tiny: PublishedModel) -> None:
    assert tuple(run(subnet(tiny, some(tiny), ("edges", "animals")))) == (
        "edges",
        "animals",
    )


def test_unknown_tasks_are_refused_with_the_known_ones(tiny: PublishedModel) -> None:
    with pytest.raises(ValueError, match=r"unknown outputs \['sound'\]; there are .*'depth'"):
        subnet(tiny, some(tiny), ("sound",))


def test_a_depthwise_convolution_has_as_many_groups_as_channels(tiny: PublishedModel) -> None:
    graph = subnet(tiny, tiny.space.smallest())
    (depthwise,) = graph.readers()["depthwise.weight"]
    assert attributes(depthwise)["group"] == tiny.space.smallest()["expand"]
    assert graph.weights["depthwise.weight"].shape == (8, 1, 3, 3)


@pytest.mark.parametrize(("head", "slices"), [(4, 1), (16, 0)])
def test_a_narrow_head_reads_a_prefix_of_the_features(
    tiny: PublishedModel, head: int, slices: int
) -> None:
    channels = {**tiny.space.largest().as_dict(), "animals": head}
    graph = subnet(tiny, tiny.space.from_channels(channels), ("animals",))
    assert sum(n.op_type == "Slice" for n in graph.nodes) == slices
    assert run(graph)["animals"].shape == (3, 3)


@pytest.mark.parametrize("images", [1, 2, 5])
def test_the_batch_is_dynamic(tiny: PublishedModel, images: int) -> None:
    for output in run(subnet(tiny, some(tiny)), images).values():
        assert output.shape[0] == images


def test_cutting_copies_no_weight_and_changes_none(tiny: PublishedModel) -> None:
    before = {name: w.copy() for name, w in tiny.graph.weights.items()}
    nodes = [n.SerializeToString() for n in tiny.graph.nodes]
    graph = subnet(tiny, tiny.space.smallest())
    weight = "block.1.weight"
    assert np.shares_memory(graph.weights[weight], tiny.graph.weights[weight])
    serialise(graph)
    assert [n.SerializeToString() for n in tiny.graph.nodes] == nodes
    for name, array in tiny.graph.weights.items():
        np.testing.assert_array_equal(array, before[name])


def test_every_tensor_of_the_file_has_its_shape(tiny: PublishedModel) -> None:
    architecture = some(tiny)
    model = written(subnet(tiny, architecture))
    shapes = {
        v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in model.graph.value_info
    }
    outputs = {o.name for o in model.graph.output}
    assert {n for node in model.graph.node for n in node.output} - outputs == set(shapes)
    (first_conv,) = [n for n in model.graph.node if "stem.weight" in n.input]
    assert shapes[first_conv.output[0]][1:] == [architecture["stem"], 16, 16]


def test_metadata_is_stamped_in_the_order_of_its_keys(tiny: PublishedModel) -> None:
    model = written(subnet(tiny, some(tiny)), {"b": "2", "a": "1"})
    assert [(p.key, p.value) for p in model.metadata_props] == [("a", "1"), ("b", "2")]

"""The closed-form cost against another counter, run over the extracted ONNX files."""

import numpy as np
import onnx
import onnx_tool  # type: ignore[import-untyped]
import pytest

from model_store.published import PublishedModel
from model_store.subnet.cost import CostModel, CostTerm
from model_store.subnet.extraction import cut
from model_store.subnet.space import Architecture
from model_store.subnet.wire import serialise

SUBSETS = [
    ("animals", "semseg", "depth", "normals", "edges", "saliency"),
    ("animals",),
    ("depth",),
    ("semseg", "saliency"),
]


def counted(model: onnx.ModelProto) -> int:
    """MACs of convolutions and linear layers as onnx-tool counts them.

    It counts a bias as one MAC for each output value, so biases are taken out first.
    """
    for node in model.graph.node:
        if node.op_type in ("Conv", "Gemm"):
            del node.input[2:]
    height, width = (d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim[2:])
    graph = onnx_tool.Model(model).graph
    graph.shape_infer({"image": np.zeros((1, 3, height, width), np.float32)})
    graph.profile()
    return sum(
        int(np.sum(node.macs))
        for node in graph.nodemap.values()
        if node.op_type in ("Conv", "Gemm")
    )


def architectures(model: PublishedModel) -> list[Architecture]:
    rng = np.random.default_rng(1)
    space = model.space
    return [space.smallest(), space.largest(), *(space.random(rng) for _ in range(4))]


@pytest.mark.parametrize("tasks", SUBSETS, ids=" ".join)
def test_the_cost_is_what_another_counter_finds_in_the_network(
    tiny: PublishedModel, tasks: tuple[str, ...]
) -> None:
    cost = tiny.cost.for_tasks(tasks)
    for architecture in architectures(tiny):
        sliced = cut(tiny.graph, tiny.space, tiny.manifest.slices, architecture, tasks)
        assert cost.of(architecture) == counted(onnx.load_model_from_string(serialise(sliced)))


def test_a_population_costs_what_its_members_cost(tiny: PublishedModel) -> None:
    members = architectures(tiny)
    channels_PG = np.array([a.channels for a in members], dtype=np.int64)
    assert tiny.cost.counts(channels_PG).tolist() == [tiny.cost.of(a) for a in members]


def test_a_convolution_by_hand(tiny: PublishedModel) -> None:
    # 16 x 16 positions, a 3 x 3 kernel, 3 inputs and the stem's 16 channels.
    term = CostTerm(positions=256, kernel=9, inputs=(3,), outputs=("stem",))
    assert CostModel(tiny.space, [term]).of(tiny.space.largest()) == 256 * 9 * 3 * 16


def test_large_costs_are_exact(tiny: PublishedModel) -> None:
    term = CostTerm(positions=2**24 + 1, kernel=9, inputs=(1021, "stem"), outputs=(1019,))
    expected = (2**24 + 1) * 9 * (1021 + 16) * 1019
    assert CostModel(tiny.space, [term]).of(tiny.space.largest()) == expected

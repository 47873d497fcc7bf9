"""Parameters and bytes in closed form, against onnx's own initializers and real files."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from model_store.budget import Budget, BudgetKind
from model_store.pricing import cost_model
from model_store.published import PublishedModel
from model_store.request import SubnetRequest
from model_store.subnet.cost import CostModel
from model_store.subnet.sizes import parameter_cost
from model_store.subnet.space import Architecture
from model_store.subnetwork import Choice, build, choose, subnet_id

SUBSETS = [
    ("animals", "semseg", "depth", "normals", "edges", "saliency"),
    ("animals",),
    ("semseg", "saliency"),
]


def cost_of(model: PublishedModel, kind: BudgetKind, tasks: tuple[str, ...]) -> CostModel:
    return cost_model(model, SubnetRequest.of(model, Budget(kind, 1.0), {}, tasks))


def architectures(model: PublishedModel) -> list[Architecture]:
    rng = np.random.default_rng(2)
    space = model.space
    return [space.smallest(), space.largest(), *(space.random(rng) for _ in range(4))]


def built(model: PublishedModel, architecture: Architecture, tasks: tuple[str, ...]) -> bytes:
    name = subnet_id(model, architecture, tasks, "fp32")
    macs = model.cost.for_tasks(tasks).of(architecture)
    return build(model, Choice(name, architecture, tasks, macs, {}), threads=1).onnx


def parameters_in(file: bytes) -> int:
    """Values that layers read, as onnx holds them; neither pixel statistics nor shapes."""
    graph = onnx.load_model_from_string(file).graph
    layers = ("Conv", "Gemm", "MatMul", "BatchNormalization")
    read = {name for n in graph.node if n.op_type in layers for name in n.input[1:]}
    arrays = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    return sum(array.size for name, array in arrays.items() if name in read)


@pytest.mark.parametrize("tasks", SUBSETS, ids=" ".join)
def test_parameters_are_those_of_the_file_and_bytes_no_fewer(
    tiny: PublishedModel, tasks: tuple[str, ...]
) -> None:
    parameters = cost_of(tiny, "parameters", tasks)
    size = cost_of(tiny, "size_bytes", tasks)
    for architecture in architectures(tiny):
        file = built(tiny, architecture, tasks)
        assert parameters.of(architecture) == parameters_in(file)
        assert 0 <= size.of(architecture) - len(file) < 2000, "a tight bound"


@pytest.mark.parametrize("kind", ["parameters", "size_bytes", "fraction", "gmacs"])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_subnetwork_keeps_to_a_budget_of_any_kind(
    tiny: PublishedModel, kind: BudgetKind, share: float
) -> None:
    tasks = SUBSETS[2]
    counted = cost_of(tiny, kind, tasks).for_tasks(tasks)
    least, most = counted.of(tiny.space.smallest()), counted.of(tiny.space.largest())
    value = (least + share * (most - least)) / counted.unit.scale
    choice = choose(tiny, SubnetRequest.of(tiny, Budget(kind, value), {"semseg": 1.0}, tasks))
    assert counted.of(choice.architecture) <= round(value * counted.unit.scale)
    assert choice.macs == tiny.cost.for_tasks(tasks).of(choice.architecture)
    if kind == "size_bytes":
        assert len(built(tiny, choice.architecture, tasks)) <= value


def test_a_weight_of_three_sliced_dimensions_cannot_be_counted(tiny: PublishedModel) -> None:
    slices = {**tiny.manifest.slices, "stem.weight": (("stem",), ("stem",), ("stem",), ())}
    with pytest.raises(ValueError, match="sliced in 3 dimensions"):
        parameter_cost(tiny.graph, tiny.space, slices)

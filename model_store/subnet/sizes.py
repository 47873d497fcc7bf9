"""Parameters and bytes of sub-networks in closed form, from the SuperNet's graph and its slices.

Both count what is left once batch norm is folded. A weight with at most two sliced dimensions is a
term that is bilinear in channel counts, like a layer's multiply-accumulates, so budgets of either
kind are searched like budgets of GMACs.
"""

import math
from collections.abc import Mapping

from model_store.subnet.cost import CostModel, CostTerm, Unit
from model_store.subnet.extraction import Slices, cut
from model_store.subnet.graph import Graph
from model_store.subnet.normalisation import folded
from model_store.subnet.slicing import Dim
from model_store.subnet.space import SearchSpace
from model_store.subnet.wire import serialised_bytes

PARAMETERS = Unit("parameters", "parameters", 1.0)
SIZE_BYTES = Unit("size_bytes", "bytes", 1.0)

_PREFIX_SLACK = 32
"""Bytes by which the lengths and counts around a prefix's Slice may grow with its width: a varint
of up to 5 bytes for each of its channels and lengths, and digits in the metadata."""


def parameter_names(graph: Graph) -> set[str]:
    """The weights and biases of a graph's layers."""
    layers = {"Conv", "Gemm", "MatMul", "BatchNormalization"}
    names = {i for n in graph.nodes if n.op_type in layers for i in n.input[1:]}
    return names & graph.weights.keys()


def parameter_cost(graph: Graph, space: SearchSpace, slices: Slices) -> CostModel:
    """Counts the values in the weights and biases of the layers of sub-networks.

    Args:
        graph: the SuperNet, with the outputs of the kept tasks only (:meth:`Graph.keeping`).
        space: its search space.
        slices: what its initializers' dimensions are made of.

    Raises:
        ValueError: more than two dimensions of one weight are sliced.
    """
    left = folded(graph)
    names = parameter_names(left)
    terms = [_term(name, left, slices) for name in left.weights if name in names]
    return CostModel(space, terms, PARAMETERS)


def size_cost(
    graph: Graph, space: SearchSpace, slices: Slices, metadata: Mapping[str, str]
) -> CostModel:
    """An upper bound of the bytes of sub-networks' ONNX files: weights exactly, the rest at most.

    The rest (nodes, names, shapes, metadata) is that of the largest sub-network, whose numbers
    have the most digits, with a Slice before every layer that may read a prefix.

    Args:
        graph: the SuperNet, with the outputs of the kept tasks only (:meth:`Graph.keeping`).
        space: its search space.
        slices: what its initializers' dimensions are made of.
        metadata: what is stamped into the file of the largest sub-network.

    Raises:
        ValueError: more than two dimensions of one weight are sliced.
    """
    left = folded(graph)
    terms = [
        _term(name, left, slices, weight.dtype.itemsize) for name, weight in left.weights.items()
    ]
    weights = CostModel(space, terms, SIZE_BYTES)
    widest = space.widest_of_prefixes()
    tasks = [o.name for o in graph.outputs]
    file = folded(cut(graph, space, slices, widest, tasks))
    slack = _PREFIX_SLACK * sum(g.within is not None for g in space.groups)
    rest = serialised_bytes(file, metadata) - weights.of(widest) + slack
    return CostModel(space, [*terms, CostTerm(rest, 1, (1,), (1,))], SIZE_BYTES)


def _term(name: str, graph: Graph, slices: Slices, each: int = 1) -> CostTerm:
    shape = graph.weights[name].shape
    dims = slices.get(name, ((),) * len(shape))
    sliced: list[Dim] = [dim for dim in dims if dim]
    if len(sliced) > 2:
        raise ValueError(
            f"{name!r} is sliced in {len(sliced)} dimensions, at most 2 can be counted"
        )
    whole = math.prod(s for s, dim in zip(shape, dims, strict=True) if not dim)
    first, second = (*sliced, (1,), (1,))[:2]
    return CostTerm(each * whole, 1, first, second)

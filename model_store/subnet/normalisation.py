"""Batch norm of a sub-network: observing the batches' statistics, pooling them, folding them in.

The SuperNet keeps no statistics that would be right for a sub-network, so they are recomputed for
each one (ECMT Sec. 5). A batch norm is known by the name of its scale without the last part:
``stem.bn`` for ``stem.bn.weight``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from model_store.subnet.graph import Graph, attributes, with_attributes

Moments = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Mean and biased variance per channel, each of shape [C]."""

Statistics = Mapping[str, Moments]
"""Batch norm to its moments."""

_EPSILON = 1e-5
"""ONNX's default."""


def batch_norms(graph: Graph) -> dict[str, onnx.NodeProto]:
    """Every batch norm of a graph, by its name.

    Raises:
        ValueError: two of them share a name, one's parameters are computed by the graph, or another
            node reads them too.
    """
    readers = graph.readers()
    found: dict[str, onnx.NodeProto] = {}
    for node in graph.nodes:
        if node.op_type == "BatchNormalization":
            if not graph.weights.keys() >= set(node.input[1:]):
                raise ValueError(f"the parameters of batch norm {node.name!r} are no initializers")
            # Statistics and folded biases take their place, which are not those of others.
            if shared := [name for name in node.input[1:] if len(readers[name]) > 1]:
                raise ValueError(
                    f"batch norm {node.name!r} needs parameters of its own, found {shared} shared"
                )
            name = node.input[1].rpartition(".")[0] or node.input[1]
            if name in found:
                raise ValueError(f"two batch norms are named {name!r}")
            found[name] = node
    return found


def observing(graph: Graph) -> Graph:
    """The graph in which every batch norm uses its batch's own statistics and outputs them.

    The outputs are those of :func:`observed`, in order; whatever comes after the last batch norm
    is gone.
    """
    norms = batch_norms(graph)
    by_output = {norm.output[0]: name for name, norm in norms.items()}
    nodes: list[onnx.NodeProto] = []
    for node in graph.nodes:
        if node.op_type == "BatchNormalization":
            # In training mode the running statistics are outputs; momentum 0 makes them the
            # batch's own. ONNX defines the variance as the biased one.
            node = with_attributes(node, training_mode=1, momentum=0.0)
            name = by_output[node.output[0]]
            del node.output[1:]
            node.output.extend([f"{name}.batch_mean", f"{name}.batch_var"])
        nodes.append(node)
    outputs = tuple(
        helper.make_tensor_value_info(
            output, TensorProto.FLOAT, [graph.weights[norm.input[1]].shape[0]]
        )
        for name, norm in norms.items()
        for output in (f"{name}.batch_mean", f"{name}.batch_var")
    )
    return replace(graph, nodes=tuple(nodes), outputs=outputs).pruned()


def pool(batches: Iterable[tuple[int, list[NDArray[np.float32]]]]) -> list[Moments]:
    """The moments of all batches together.

    A mean of variances would lose the spread between the batches' means, so the variance is
    ``sum n (var + (mean - pooled mean)^2) / sum n``, in float64: the same number as from sums and
    sums of squares, without their cancellation.

    Args:
        batches: the number of images of each batch, and the outputs of :func:`observing` for it.

    Returns:
        One pair of moments for each batch norm.
    """
    counted = list(batches)
    n_B = np.array([n for n, _ in counted], dtype=np.float64)
    share_B = n_B / n_B.sum()
    columns = zip(*(outputs for _, outputs in counted), strict=True)
    pooled_by_output = [np.stack(column).astype(np.float64) for column in columns]
    moments: list[Moments] = []
    for mean_BC, var_BC in zip(pooled_by_output[::2], pooled_by_output[1::2], strict=True):
        mean_C = share_B @ mean_BC
        moments.append((mean_C, share_B @ (var_BC + (mean_BC - mean_C) ** 2)))
    return moments


def fold(graph: Graph, statistics: Statistics) -> Graph:
    """The graph with batch norms folded into the convolutions before them (:func:`folded`).

    ``BN(Wx + b) = sWx + s(b - mean) + shift`` with ``s = scale / sqrt(var + eps)``. A batch norm
    that stays has these statistics.

    Raises:
        KeyError: a batch norm has no statistics.
    """
    weights = dict(graph.weights)
    convolutions = _before(graph)
    for name, norm in batch_norms(graph).items():
        mean_C, var_C = statistics[name]
        scale_name, shift_name = norm.input[1:3]
        epsilon = float(attributes(norm).get("epsilon", _EPSILON))
        conv = convolutions.get(name)
        if conv is None:
            weights[norm.input[3]] = mean_C.astype(np.float32)
            weights[norm.input[4]] = var_C.astype(np.float32)
            continue
        factor_C = weights[scale_name].astype(np.float64) / np.sqrt(var_C + epsilon)
        bias_C = weights[conv.input[2]].astype(np.float64) if len(conv.input) > 2 else 0.0
        shift_C = weights[shift_name].astype(np.float64) + factor_C * (bias_C - mean_C)
        weight_name = conv.input[1]
        weights[weight_name] = graph.weights[weight_name] * factor_C.astype(np.float32).reshape(
            -1, 1, 1, 1
        )
        weights[shift_name] = shift_C.astype(np.float32)
    return folded(replace(graph, weights=MappingProxyType(weights)))


def folded(graph: Graph) -> Graph:
    """The nodes that :func:`fold` leaves, and the weights that they read, their values untouched.

    So the names and shapes of a folded graph are known without computing it. The folded bias takes
    the name of the batch norm's shift. A batch norm that does not directly follow a convolution of
    its own keeps its place.
    """
    convolutions, norms = _before(graph), batch_norms(graph)
    merged: dict[str, onnx.NodeProto] = {}
    for name, conv in convolutions.items():
        node = onnx.NodeProto()
        node.CopyFrom(conv)
        del node.input[2:]
        node.input.append(norms[name].input[2])
        node.output[0] = norms[name].output[0]
        merged[conv.output[0]] = node
    gone = {norms[name].output[0] for name in convolutions}
    nodes = tuple(
        merged.get(node.output[0], node) for node in graph.nodes if node.output[0] not in gone
    )
    return replace(graph, nodes=nodes).pruned()


def _before(graph: Graph) -> dict[str, onnx.NodeProto]:
    """The convolution that each batch norm can be folded into, where there is one."""
    producers, readers = graph.producers(), graph.readers()
    outputs = {o.name for o in graph.outputs}
    found = {}
    for name, norm in batch_norms(graph).items():
        conv = producers.get(norm.input[0])
        if (
            conv is not None
            and conv.op_type == "Conv"
            and graph.weights.keys() >= set(conv.input[1:])
            and len(readers[norm.input[0]]) == 1
            and len(readers[conv.input[1]]) == 1
            and norm.input[0] not in outputs
        ):
            found[name] = conv
    return found

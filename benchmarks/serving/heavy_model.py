"""A made-up model whose predictions are mostly inference, published in milliseconds.

A stack of dense 3x3 convolutions on 64x64 positions, four widths each, and a small classifier. Its
weights are noise: it is for measuring time under load, where the shipped models, which take as long
to answer over HTTP as to run, say little.
"""

import io
import json
from pathlib import Path

import numpy as np
import onnx
import safetensors.numpy
from onnx import TensorProto, helper, numpy_helper

from model_store.manifest import (
    CalibrationSpec,
    CostTermSpec,
    GroupSpec,
    InputSpec,
    Manifest,
    Metric,
    Provenance,
    Task,
)
from model_store.published import ModelStore
from model_store.subnet.predictor import tensor_shapes
from model_store.subnet.slicing import Dim
from model_store.subnet.space import Group
from model_store.subnet.weights import split_weights

NAME = "heavy"
SIZE = 64
WIDTH = 64
LAYERS = 5
RATIOS = (0.25, 0.5, 0.75, 1.0)
TASK = Task(
    name="kind",
    kind="classification",
    classes=4,
    metric=Metric(name="accuracy", higher_is_better=True),
)


def publish(root: Path) -> None:
    """Publishes the model under a folder."""
    groups = [Group.of(f"layer{i}", WIDTH, RATIOS, 16) for i in range(LAYERS)]
    groups.append(Group.of(TASK.name, WIDTH, RATIOS, 16, TASK.name, groups[-1].name))
    network, slices, cost = _network()
    graph, data = split_weights(network)
    images = io.BytesIO()
    rng = np.random.default_rng(0)
    np.savez_compressed(images, images=rng.integers(0, 256, (8, SIZE, SIZE, 3), dtype=np.uint8))
    unit = (0.5, 0.5, 0.5)
    manifest = Manifest(
        schema_version=1,
        name=NAME,
        version="1",
        method="ecmt",
        divisor=16,
        provenance=Provenance(
            dataset="noise",
            recipe=NAME,
            seed=0,
            libraries={},
            created="2026-01-01",
            attribution="nobody",
            license="CC0-1.0",
        ),
        tasks=(TASK,),
        input=InputSpec(height=SIZE, width=SIZE, channel_order="RGB", mean=unit, std=unit),
        groups=tuple(
            GroupSpec(
                name=g.name, ratios=g.ratios, channels=g.channels, task=g.task, within=g.within
            )
            for g in groups
        ),
        slices=slices,
        cost=cost,
        calibration=CalibrationSpec(kind="synthetic", images=8),
    )
    files = {
        "supernet.onnx": graph,
        "supernet.onnx.data": data,
        "predictor.safetensors": _predictor(len(groups)),
        "calibration.npz": images.getvalue(),
        "report.json": json.dumps({}).encode(),
    }
    ModelStore(root).publish(NAME, "1", files, manifest)


def _network() -> tuple[onnx.ModelProto, dict[str, tuple[Dim, ...]], tuple[CostTermSpec, ...]]:
    rng = np.random.default_rng(0)
    nodes, weights, cost = [], {}, []
    slices: dict[str, tuple[Dim, ...]] = {}
    x, channels = "image", 3
    inputs: Dim = ()
    for i in range(LAYERS):
        name, dim = f"layer{i}", (f"layer{i}",)
        std = (9 * channels) ** -0.5
        weight = rng.normal(0.0, std, (WIDTH, channels, 3, 3)).astype(np.float32)
        weights[f"{name}.weight"] = weight
        slices[f"{name}.weight"] = (dim, inputs, (), ())
        norm = [f"{name}.bn.{part}" for part in ("weight", "bias", "mean", "var")]
        for parameter, value in zip(norm, (1.0, 0.0, 0.0, 1.0), strict=True):
            weights[parameter] = np.full(WIDTH, value, np.float32)
            slices[parameter] = (dim,)
        made = helper.make_node(
            "Conv", [x, f"{name}.weight"], [f"{name}.conv"], kernel_shape=[3, 3], pads=[1] * 4
        )
        nodes += [
            made,
            helper.make_node("BatchNormalization", [f"{name}.conv", *norm], [f"{name}.norm"]),
            helper.make_node("Relu", [f"{name}.norm"], [name]),
        ]
        cost.append(
            CostTermSpec(positions=SIZE * SIZE, kernel=9, inputs=inputs or (3,), outputs=dim)
        )
        x, inputs, channels = name, dim, WIDTH
    weights["kind.weight"] = rng.normal(size=(TASK.classes, WIDTH)).astype(np.float32)
    slices["kind.weight"] = ((), (TASK.name,))
    nodes += [
        helper.make_node("GlobalAveragePool", [x], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "kind.weight"], [TASK.name], transB=1),
    ]
    cost.append(
        CostTermSpec(
            positions=1, kernel=1, inputs=(TASK.name,), outputs=(TASK.classes,), task=TASK.name
        )
    )
    graph = helper.make_graph(
        nodes,
        NAME,
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, SIZE, SIZE])],
        [helper.make_tensor_value_info(TASK.name, TensorProto.FLOAT, ["N", TASK.classes])],
        [numpy_helper.from_array(w, name) for name, w in weights.items()],
    )
    opset = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=opset, ir_version=10), slices, tuple(cost)


def _predictor(groups: int) -> bytes:
    """By which wider is better: no weight of its trunk is negative."""
    rng = np.random.default_rng(0)
    tensors = {
        name: np.abs(rng.normal(0.0, 1.0 / shape[-1], shape)).astype(np.float32)
        for name, shape in tensor_shapes(1, groups).items()
    }
    tensors["heads.weight"] *= np.array([-1.0, 1.0], np.float32)[:, None]
    tensors["heads.bias"] = np.zeros_like(tensors["heads.bias"])
    tensors["targets.mean"] = np.full_like(tensors["targets.mean"], 0.5)
    tensors["targets.std"] = np.full_like(tensors["targets.std"], 0.1)
    return safetensors.numpy.save(tensors)

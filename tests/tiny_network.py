"""A multi-task SuperNet small enough for tests, written node by node with random weights.

It has one of everything that extraction must cope with: a residual stream, an inverted residual
with a depthwise convolution, concatenations of several groups, a group within another, resizing by
scales, convolutions with and without bias and batch norm, and an output of each kind.
"""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from model_store.manifest import CostTermSpec, GroupSpec, Metric, Task
from model_store.subnet.slicing import Dim
from model_store.subnet.space import Group

SIZE = 32
"""Height and width of the input in pixels."""
DIVISOR = 4
RATIOS = (0.25, 0.5, 0.75, 1.0)
MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)

TASKS = (
    Task(
        name="animals",
        kind="classification",
        classes=3,
        labels=("ant", "bee", "cat"),
        metric=Metric(name="accuracy", higher_is_better=True),
    ),
    Task(
        name="semseg",
        kind="segmentation",
        classes=4,
        labels=("wall", "floor", "box", "ball"),
        palette=((0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255)),
        metric=Metric(name="mIoU", higher_is_better=True),
    ),
    Task(
        name="depth",
        kind="depth",
        classes=1,
        metric=Metric(name="rel", higher_is_better=False),
    ),
    Task(
        name="normals",
        kind="normals",
        classes=3,
        metric=Metric(name="mean angle", higher_is_better=False, unit="degrees"),
    ),
    Task(name="edges", kind="edges", classes=1, metric=Metric(name="F1", higher_is_better=True)),
    Task(
        name="saliency",
        kind="saliency",
        classes=1,
        metric=Metric(name="maxF", higher_is_better=True),
    ),
)

_ENCODER = {"stem": 16, "block": 24, "expand": 32, "stage": 16}


def groups() -> tuple[GroupSpec, ...]:
    """The encoder's groups and one decoder group per task."""
    encoder = [Group.of(name, full, RATIOS, DIVISOR) for name, full in _ENCODER.items()]
    decoders = [
        Group.of(t.name, 16, RATIOS, DIVISOR, t.name, "stage" if t.name == "animals" else None)
        for t in TASKS
    ]
    return tuple(
        GroupSpec(name=g.name, ratios=g.ratios, channels=g.channels, task=g.task, within=g.within)
        for g in (*encoder, *decoders)
    )


class TinyNetwork:
    """Writes the SuperNet, and notes what weights are made of and what each layer costs."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: dict[str, NDArray[np.float32] | NDArray[np.int64]] = {}
        self.slices: dict[str, tuple[Dim, ...]] = {}
        self.cost: list[CostTermSpec] = []
        self.full = {g.name: g.channels[-1] for g in groups()}
        stage, skip = self._encoder()
        for task in TASKS:
            if task.kind == "classification":
                self._classifier(task, stage)
            else:
                self._dense(task, stage, skip)

    def model(self) -> onnx.ModelProto:
        """The SuperNet with its weights inside."""
        image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, SIZE, SIZE])
        outputs = [
            helper.make_tensor_value_info(
                t.name,
                TensorProto.FLOAT,
                ["N", t.classes] if t.kind == "classification" else ["N", t.classes, SIZE, SIZE],
            )
            for t in TASKS
        ]
        weights = [numpy_helper.from_array(w, name) for name, w in self.weights.items()]
        graph = helper.make_graph(self.nodes, "tiny", [image], outputs, weights)
        opset = helper.make_opsetid("", 18)
        return helper.make_model(graph, opset_imports=[opset], ir_version=10)

    def _encoder(self) -> tuple[str, str]:
        mean = self._constant("mean", np.array(MEAN, np.float32).reshape(1, 3, 1, 1))
        std = self._constant("std", np.array(STD, np.float32).reshape(1, 3, 1, 1))
        x = self._op("Div", self._op("Sub", "image", mean), std)
        stem = self._conv("stem", x, (3,), ("stem",), kernel=3, stride=2, size=SIZE // 2)
        x = self._conv("block.1", stem, ("stem",), ("block",), kernel=3, size=SIZE // 2)
        x = self._conv("block.2", x, ("block",), ("stem",), kernel=3, size=SIZE // 2, act="")
        skip = self._op("Relu", self._op("Add", x, stem))
        x = self._conv("expand", skip, ("stem",), ("expand",), size=SIZE // 2, act="Clip")
        x = self._conv(
            "depthwise", x, (1,), ("expand",), kernel=3, stride=2, size=SIZE // 4, act="Clip"
        )
        return self._conv("stage", x, ("expand",), ("stage",), size=SIZE // 4, act=""), skip

    def _classifier(self, task: Task, stage: str) -> None:
        pooled = self._op("Flatten", self._op("GlobalAveragePool", stage))
        weight, bias = f"{task.name}.weight", f"{task.name}.bias"
        self.weights[weight] = self._normal((task.classes, self.full[task.name]), 0.3)
        self.weights[bias] = self._normal((task.classes,), 0.3)
        self.slices[weight] = ((), (task.name,))
        self.nodes.append(
            helper.make_node("Gemm", [pooled, weight, bias], [task.name], task.name, transB=1)
        )
        self._count(task.name, 1, 1, (task.name,), (task.classes,))

    def _dense(self, task: Task, stage: str, skip: str) -> None:
        t: Dim = (task.name,)
        quarter, half = SIZE // 4, SIZE // 2
        near = self._conv(f"{task.name}.near", stage, ("stage",), t, size=quarter)
        far = self._conv(
            f"{task.name}.far", stage, ("stage",), t, kernel=3, dilation=2, size=quarter
        )
        axes = self._constant("spatial_axes", np.array([2, 3]))
        pooled = self._op("ReduceMean", stage, axes, keepdims=1)
        pooled = self._conv(f"{task.name}.pool", pooled, ("stage",), t, size=1)
        pooled = self._resize(pooled, quarter)
        aspp = self._op("Concat", near, far, pooled, axis=1)
        x = self._conv(f"{task.name}.project", aspp, 3 * t, t, size=quarter)
        x = self._op("Concat", self._resize(x, 2), skip, axis=1)
        x = self._conv(f"{task.name}.mix", x, (*t, "stem"), t, kernel=3, size=half)
        x = self._conv(f"{task.name}.last", x, t, (task.classes,), size=half, act="", norm=False)
        if task.kind == "normals":
            channel_axis = self._constant("channel_axis", np.array([1]))
            tiny = self._constant("tiny", np.array(1e-6, np.float32))
            norm = self._op("Max", self._op("ReduceL2", x, channel_axis, keepdims=1), tiny)
            x = self._op("Div", x, norm)
        elif task.kind != "segmentation":
            x = self._op("Softplus" if task.kind == "depth" else "Sigmoid", x)
        self.nodes.append(self._resize_node(x, 2, task.name))

    def _conv(
        self,
        name: str,
        x: str,
        inputs: Dim,
        outputs: Dim,
        *,
        size: int,
        kernel: int = 1,
        stride: int = 1,
        dilation: int = 1,
        act: str = "Relu",
        norm: bool = True,
    ) -> str:
        """Convolution, batch norm and activation.

        ``inputs`` is what one output channel reads, ``size`` the output's height and width.
        Convolutions without batch norm, and the stem, have a bias.
        """
        c_in, c_out = (
            sum(self.full[s] if isinstance(s, str) else s for s in d) for d in (inputs, outputs)
        )
        weight = f"{name}.weight"
        self.weights[weight] = self._normal(
            (c_out, c_in, kernel, kernel), (kernel * kernel * c_in) ** -0.5
        )
        parameters = [weight]
        fixed = all(isinstance(s, int) for s in outputs)
        sliced: Dim = () if fixed else outputs
        self.slices[weight] = (sliced, () if isinstance(inputs[0], int) else inputs, (), ())
        if not norm or name == "stem":
            self.weights[f"{name}.bias"] = self._normal((c_out,), 0.1)
            self.slices[f"{name}.bias"] = (sliced,)
            parameters.append(f"{name}.bias")
        pad = dilation * (kernel // 2)
        x = self._op(
            "Conv",
            x,
            *parameters,
            kernel_shape=[kernel] * 2,
            strides=[stride] * 2,
            dilations=[dilation] * 2,
            pads=[pad] * 4,
            group=c_out if name == "depthwise" else 1,
        )
        self._count(name.split(".")[0], size * size, kernel * kernel, inputs, outputs)
        if norm:
            x = self._batch_norm(f"{name}.bn", x, outputs, c_out)
        if act == "Clip":
            return self._op("Clip", x, self._scalar("zero", 0.0), self._scalar("six", 6.0))
        return self._op(act, x) if act else x

    def _batch_norm(self, name: str, x: str, dim: Dim, channels: int) -> str:
        names = [f"{name}.{part}" for part in ("weight", "bias", "mean", "var")]
        # Away from 1, 0, 0 and 1, so that a mix-up shows.
        values = [
            self.rng.uniform(0.5, 1.5, channels),
            self.rng.normal(0.0, 0.3, channels),
            self.rng.normal(0.0, 0.3, channels),
            self.rng.uniform(0.5, 1.5, channels),
        ]
        for parameter, value in zip(names, values, strict=True):
            self.weights[parameter] = value.astype(np.float32)
            self.slices[parameter] = (dim,)
        return self._op("BatchNormalization", x, *names, epsilon=1e-5)

    def _count(self, owner: str, positions: int, kernel: int, inputs: Dim, outputs: Dim) -> None:
        task = owner if owner in {t.name for t in TASKS} else None
        self.cost.append(
            CostTermSpec(
                positions=positions, kernel=kernel, inputs=inputs, outputs=outputs, task=task
            )
        )

    def _resize(self, x: str, scale: int) -> str:
        self.nodes.append(self._resize_node(x, scale, f"resize_{len(self.nodes)}"))
        return str(self.nodes[-1].output[0])

    def _resize_node(self, x: str, scale: int, output: str) -> onnx.NodeProto:
        scales = self._constant(f"scales_{scale}", np.array([1, 1, scale, scale], np.float32))
        return helper.make_node(
            "Resize",
            [x, "", scales],
            [output],
            output,
            mode="linear",
            coordinate_transformation_mode="half_pixel",
        )

    def _op(self, kind: str, *inputs: str, **attributes: int | float | list[int]) -> str:
        output = f"{kind.lower()}_{len(self.nodes)}"
        node = helper.make_node(kind, inputs, [output], output)
        node.attribute.extend(helper.make_attribute(k, v) for k, v in attributes.items())
        self.nodes.append(node)
        return output

    def _scalar(self, name: str, value: float) -> str:
        return self._constant(name, np.array(value, np.float32))

    def _constant(self, name: str, value: NDArray[np.float32] | NDArray[np.int64]) -> str:
        self.weights[name] = value
        return name

    def _normal(self, shape: tuple[int, ...], std: float) -> NDArray[np.float32]:
        return self.rng.normal(0.0, std, shape).astype(np.float32)

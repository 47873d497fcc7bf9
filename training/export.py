"""The calibrated SuperNet as an ONNX graph whose initializers keep their parameters' names."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import cast

import onnx
import onnx_ir
import torch
from onnx_ir.passes import Sequential, common
from onnxscript import optimizer
from torch import Tensor, nn

from model_store.subnet.graph import INPUT, OPSET
from training.supernet import SuperNet
from training.tasks import activate

PREFIX = "network."
"""What parameter names start with inside :class:`Deployed`."""


class Deployed(nn.Module):
    """A calibrated network from images to predictions, as it is published.

    Takes float32 RGB in [0, 1], [N, 3, H, W]; normalises inside; gives one output per task, as
    :func:`training.tasks.activate` describes.
    """

    pixel_mean: Tensor
    pixel_std: Tensor

    def __init__(self, subnet: SuperNet) -> None:
        super().__init__()
        self.network = subnet
        self.register_buffer("pixel_mean", torch.tensor(subnet.config.mean).view(1, 3, 1, 1))
        self.register_buffer("pixel_std", torch.tensor(subnet.config.std).view(1, 3, 1, 1))

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Predictions in the order of the network's tasks."""
        x_NCHW = (image - self.pixel_mean) / self.pixel_std
        raw = self.network(x_NCHW, self.network.space.largest()).raw
        return tuple(activate(task, raw[task.name]) for task in self.network.config.tasks)


def export_onnx(subnet: SuperNet) -> onnx.ModelProto:
    """Exports a calibrated network with batch norm not folded and N dynamic.

    The initializer of parameter ``encoder.prep.conv.weight`` bears that name.
    """
    config = subnet.config
    example = torch.zeros(2, 3, config.height, config.width)
    with TemporaryDirectory() as folder, _quiet():
        program = torch.onnx.export(
            Deployed(subnet).eval(),
            (example,),
            input_names=[INPUT],
            output_names=[task.name for task in config.tasks],
            dynamic_shapes=({0: torch.export.Dim("N")},),
            opset_version=OPSET,
            # The default optimisation folds batch norm, which every sub-network calibrates anew.
            optimize=False,
            verbose=False,
            dynamo=True,
        )
        cast("torch.onnx.ONNXProgram", program).save(f"{folder}/network.onnx")
        return _tidy(onnx_ir.load(f"{folder}/network.onnx"))


@contextmanager
def _quiet() -> Iterator[None]:
    """Silences the exporter, which warns of its own deprecations and of optional packages."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _tidy(model: onnx_ir.Model) -> onnx.ModelProto:
    """Removes what tracing leaves behind, without touching batch norm."""
    # Identities first: folding them would give parameters other names.
    Sequential(common.InlinePass(), common.IdentityEliminationPass())(model)
    optimizer.fold_constants(model, output_size_limit=4096)
    Sequential(
        common.CommonSubexpressionEliminationPass(),
        common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
        common.RemoveUnusedNodesPass(),
        common.RemoveUnusedFunctionsPass(),  # type: ignore[no-untyped-call]
        common.RemoveUnusedOpsetsPass(),
        common.ClearMetadataAndDocStringPass(),
    )(model)
    for node in model.graph:
        # Tracing gives every convolution without a bias a bias of zeros, which would bake in a
        # channel count.
        if node.op_type == "Conv" and len(node.inputs) == 3 and not _is_parameter(node.inputs[2]):
            node.resize_inputs(2)
    common.RemoveUnusedNodesPass()(model)
    for value in list(model.graph.initializers.values()):
        if _is_parameter(value):
            value.name = str(value.name).removeprefix(PREFIX)
    return onnx_ir.to_proto(model)


def _is_parameter(value: onnx_ir.Value | None) -> bool:
    return value is not None and value.name is not None and value.name.startswith(PREFIX)

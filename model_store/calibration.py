"""Batch-norm statistics of a sub-network through ONNX Runtime.

The sub-network is calibrated, never the SuperNet, whose weights are shared by all.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]
from numpy.typing import NDArray

from model_store.subnet.graph import INPUT, Graph
from model_store.subnet.normalisation import Statistics, batch_norms, observing, pool
from model_store.subnet.wire import serialise

Providers: TypeAlias = Sequence[Any]
"""Names of ONNX Runtime execution providers, or pairs of name and options; preferred one first."""

CPU: Providers = ("CPUExecutionProvider",)

BATCH = 64
"""The most images in a batch. Within a batch, layers see that batch's own statistics."""


def calibrate(
    graph: Graph,
    images_NHWC: NDArray[np.uint8],
    threads: int,
    batch: int = BATCH,
    providers: Providers = CPU,
) -> Statistics:
    """The batch-norm statistics of a network on these images.

    As in training, every layer sees inputs that were normalised by their own batch's statistics;
    what is returned are the moments over all batches.

    Args:
        graph: a sub-network with its batch norms.
        images_NHWC: uint8 RGB, at the input's size; at least one.
        threads: threads that ONNX Runtime may use.
        batch: the most images in a batch; the images are dealt evenly to as many batches as needed.
        providers: where it runs. Statistics from a GPU agree with those from the CPU to about
            float32's precision, not bit by bit.

    Raises:
        ValueError: there are no images.
    """
    if not len(images_NHWC):
        raise ValueError("calibration needs at least one image")
    if not batch_norms(graph):
        return {}
    session = _session(graph, threads, providers)
    batches = np.array_split(images_NHWC, -(-len(images_NHWC) // batch))
    observed = ((len(images), session.run(None, {INPUT: as_input(images)})) for images in batches)
    return dict(zip(batch_norms(graph), pool(observed), strict=True))


def as_input(images_NHWC: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Images as the network reads them: float32 [N, 3, H, W] in [0, 1]."""
    images_NCHW = np.ascontiguousarray(images_NHWC.transpose(0, 3, 1, 2))
    return images_NCHW.astype(np.float32) / np.float32(255.0)


def _session(graph: Graph, threads: int, providers: Providers) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    model = serialise(observing(graph))
    return ort.InferenceSession(model, options, providers=list(providers))

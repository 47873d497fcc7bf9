"""Proof that what is cut from ONNX is what PyTorch computes."""

from collections.abc import Callable

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]
import torch
from numpy.typing import NDArray

from model_store.calibration import calibrate
from model_store.published import PublishedModel
from model_store.subnet.extraction import cut
from model_store.subnet.normalisation import Statistics
from model_store.subnet.space import Architecture
from model_store.subnetwork import Choice, Subnet, build, predict, subnet_id
from training.export import Deployed
from training.layers import SlimmableBatchNorm2d
from training.supernet import SuperNet

TOLERANCE = 1e-4
"""Largest difference allowed, relative to the largest value of the output."""


class ParityError(ValueError):
    """A sub-network cut from ONNX is not the one that PyTorch computes."""


def choice_of(model: PublishedModel, architecture: Architecture) -> Choice:
    """The choice of one architecture with all tasks."""
    return Choice(
        subnet_id=subnet_id(model, architecture, model.space.tasks, "fp32"),
        architecture=architecture,
        tasks=model.space.tasks,
        macs=model.cost.of(architecture),
        predicted=predict(model, architecture, model.space.tasks),
    )


def session_of(subnet: Subnet, threads: int = 0) -> ort.InferenceSession:
    """A CPU session of a sub-network; 0 threads means as many as there are cores."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    return ort.InferenceSession(subnet.onnx, options, providers=["CPUExecutionProvider"])


def with_statistics(
    network: SuperNet, architecture: Architecture, statistics: Statistics
) -> SuperNet:
    """PyTorch's own slice of an architecture, with batch-norm statistics by module name."""
    subnet = network.extract(architecture).eval()
    for name, module in subnet.named_modules():
        if isinstance(module, SlimmableBatchNorm2d):
            mean, variance = statistics[name]
            module.running_mean = torch.from_numpy(np.asarray(mean, dtype=np.float32))
            module.running_var = torch.from_numpy(np.asarray(variance, dtype=np.float32))
    return subnet


def _calibration_of(model: PublishedModel, architecture: Architecture) -> Statistics:
    slices = model.manifest.slices
    sliced = cut(model.graph, model.space, slices, architecture, model.space.tasks)
    return calibrate(sliced, model.calibration_NHWC, threads=0)


def check_parity(
    model: PublishedModel,
    network: SuperNet,
    images_NCHW: NDArray[np.float32],
    count: int,
    seed: int,
    on_check: Callable[[int, int], None] = lambda _, __: None,
) -> float:
    """Compares sub-networks, extracted on either side and with the same statistics, on images.

    The statistics are those that the store calibrates. Were each side to calibrate
    itself, rounding would differ from the first layer on, and a long chain of batch norms
    amplifies that.

    Args:
        model: the model to be published.
        network: the PyTorch SuperNet that it was made from.
        images_NCHW: float32 RGB in [0, 1].
        count: how many architectures: the smallest, the largest, and random ones.
        seed: of the random ones.
        on_check: called with the number of architectures done and the count.

    Returns:
        The largest relative error found.

    Raises:
        ParityError: it exceeds :data:`TOLERANCE`; the error names the architecture and the task.
    """
    rng, worst = np.random.default_rng(seed), 0.0
    architectures = [model.space.smallest(), model.space.largest()]
    architectures += [model.space.random(rng) for _ in range(count - len(architectures))]
    for done, architecture in enumerate(architectures, start=1):
        found = session_of(build(model, choice_of(model, architecture), threads=0)).run(
            None, {"image": images_NCHW}
        )
        subnet = with_statistics(network, architecture, _calibration_of(model, architecture))
        with torch.no_grad():
            expected = Deployed(subnet).eval()(torch.from_numpy(images_NCHW))
        for task, ours, theirs in zip(model.space.tasks, found, expected, strict=True):
            reference = theirs.numpy()
            error = float(np.abs(ours - reference).max() / np.abs(reference).max())
            # Written so that a NaN is refused.
            if not error <= TOLERANCE:
                raise ParityError(
                    f"task {task!r} of the sub-network {architecture.text} differs from PyTorch "
                    f"by {error:.1e} of its largest value; at most {TOLERANCE:.0e} is allowed"
                )
            worst = max(worst, error)
        on_check(done, len(architectures))
    return worst

"""What a published model is worth: measured on the test split, on the files that are deployed."""

from typing import Any

import numpy as np
import torch

from model_store.published import PublishedModel
from model_store.subnet.space import Architecture
from model_store.subnetwork import build
from training.data.source import Source, in_order
from training.metrics import meter_of, to_target_size
from training.parity import choice_of, session_of


def measure(
    model: PublishedModel, architecture: Architecture, test: Source, batch_size: int = 64
) -> dict[str, float]:
    """The metric of every task for one sub-network's ONNX file in ONNX Runtime."""
    session = session_of(build(model, choice_of(model, architecture), threads=0))
    meters = {t.name: meter_of(t.kind, t.classes) for t in model.manifest.tasks}
    for batch in in_order(test, batch_size):
        outputs = session.run(None, {"image": np.ascontiguousarray(batch.images_NCHW.numpy())})
        for (name, meter), output in zip(meters.items(), outputs, strict=True):
            target = batch.targets[name]
            meter.update(to_target_size(torch.from_numpy(output), target), target)
    return {name: meter.value() for name, meter in meters.items()}


def widths_report(model: PublishedModel, test: Source) -> dict[str, Any]:
    """Quality at full, middle and smallest width, with the cost of each."""
    space = model.space
    architectures = {
        "full": space.largest(),
        "middle": space.uniform((1.0 + min(g.ratios[0] for g in space.groups)) / 2),
        "smallest": space.smallest(),
    }
    return {
        name: {
            "gmacs": model.cost.of(architecture) / 1e9,
            "quality": measure(model, architecture, test),
        }
        for name, architecture in architectures.items()
    }

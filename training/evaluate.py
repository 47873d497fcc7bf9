"""The quality of a sub-network: extracted, calibrated, measured."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from model_store.subnet.space import Architecture
from training.calibration import calibrate
from training.data.source import Batch, Source, in_order
from training.metrics import meters_of, metric_of, to_target_size
from training.recipe import NetworkConfig
from training.set_losses import SetLosses
from training.supernet import SuperNet, channels_last
from training.tasks import activate


@dataclass(frozen=True)
class Quality:
    """What was measured on one set."""

    losses: dict[str, float]
    """Means over the labelled values of the whole set, as :class:`SetLosses` adds them up."""
    metrics: dict[str, float]
    """Of the metric by which each task is judged."""
    further: dict[str, dict[str, float]] = field(default_factory=dict)
    """Other metrics of the tasks that have some, by task and name."""


def device_of(network: SuperNet) -> torch.device:
    """Where a network's weights are."""
    return next(network.parameters()).device


def on_device(batch: Batch, device: torch.device) -> Batch:
    """The same batch on a device; from page-locked memory, copied while the device computes."""
    return Batch(
        batch.images_NCHW.to(device, non_blocking=True),
        {t: target.to(device, non_blocking=True) for t, target in batch.targets.items()},
    )


def normalise(config: NetworkConfig, images_NCHW: Tensor) -> Tensor:
    """RGB in [0, 1] to the network's input, channels last in memory."""
    mean = torch.tensor(config.mean, device=images_NCHW.device).view(1, 3, 1, 1)
    std = torch.tensor(config.std, device=images_NCHW.device).view(1, 3, 1, 1)
    return ((images_NCHW - mean) / std).contiguous(memory_format=torch.channels_last)


def calibrated(
    supernet: SuperNet, architecture: Architecture, images_NCHW: Tensor, batch_size: int = 64
) -> SuperNet:
    """A sub-network of its own with statistics on these images, RGB in [0, 1].

    It is where the SuperNet is; the images may be elsewhere.
    """
    device = device_of(supernet)
    subnet = channels_last(supernet.extract(architecture)).to(device).eval()
    # Dealt evenly, as in model_store.calibration: other batches would have other statistics.
    batches = images_NCHW.tensor_split(-(-len(images_NCHW) // batch_size))
    calibrate(subnet, (normalise(supernet.config, b.to(device)) for b in batches))
    return subnet


@torch.no_grad()
def evaluate(subnet: SuperNet, batches: "list[Batch] | Source", batch_size: int = 64) -> Quality:
    """Losses and metrics of a calibrated sub-network over a set.

    Raises:
        ValueError: no image of the set has ground truth for some task.
    """
    tasks = subnet.config.tasks
    meters = {t.name: meters_of(t.kind, t.outputs) for t in tasks}
    losses, images = SetLosses(tasks), 0
    architecture = subnet.space.largest()
    each = batches if isinstance(batches, list) else in_order(batches, batch_size)
    for batch in (on_device(b, device_of(subnet)) for b in each):
        images += len(batch.images_NCHW)
        raw = subnet(normalise(subnet.config, batch.images_NCHW), architecture).raw
        for task in tasks:
            target = batch.targets[task.name]
            if losses.add(task, raw[task.name], target):
                prediction = to_target_size(activate(task, raw[task.name].float()), target)
                for meter in meters[task.name].values():
                    meter.update(prediction, target)
    means = losses.means()
    unknown = [t.name for t in tasks if t.name not in means]
    if unknown:
        raise ValueError(
            f"none of {images} images has ground truth for {', '.join(unknown)}, so that nothing "
            "can be measured; take more images, or label some"
        )
    values = {t: {name: m.value() for name, m in found.items()} for t, found in meters.items()}
    metrics = {t.name: values[t.name].pop(metric_of(t.kind).name) for t in tasks}
    return Quality(means, metrics, {name: others for name, others in values.items() if others})

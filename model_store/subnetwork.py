"""ECMT as a method: from a request to a choice of widths, from a choice to an ONNX file.

The two steps of the protocol that every method follows: given budget and
preference, choose a configuration; given a configuration, give the network. Neither needs torch.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from pydantic import BaseModel, ConfigDict

from model_store.calibration import CPU, Providers, calibrate
from model_store.pricing import cost_model
from model_store.published import CALIBRATION, PublishedModel
from model_store.request import SubnetRequest, canonical_digest
from model_store.stamp import channels_of, stamp
from model_store.subnet.extraction import cut
from model_store.subnet.graph import Graph
from model_store.subnet.normalisation import Statistics, fold
from model_store.subnet.search import search
from model_store.subnet.sizes import parameter_names
from model_store.subnet.space import Architecture
from model_store.subnet.wire import serialise

__all__ = [
    "Choice",
    "Subnet",
    "SubnetMetadata",
    "SubnetRequest",
    "Widths",
    "architecture_of",
    "build",
    "choose",
    "finish",
    "parameters",
    "predict",
    "subnet_id",
]

Predicted = Mapping[str, Mapping[str, float | str]]
"""Task to ``loss``, the ``metric``'s name, and its ``value``."""


@dataclass(frozen=True)
class Choice:
    """The sub-network that a search chose."""

    subnet_id: str
    architecture: Architecture
    tasks: tuple[str, ...]
    macs: int
    predicted: Predicted


class Widths(BaseModel):
    """Width ratios in (0, 1]."""

    model_config = ConfigDict(frozen=True)

    encoder: dict[str, float]
    """By group: channels over those of the SuperNet."""
    decoders: dict[str, float]
    """By task. That of a linear head, which reads a prefix of the encoder's features, is the share
    that it reads of those that the sub-network has.
    """

    @staticmethod
    def of(model: PublishedModel, architecture: Architecture, tasks: Sequence[str]) -> "Widths":
        """The widths of an architecture with these tasks."""
        encoder, decoders = {}, {}
        for group in model.space.groups:
            channels, whole = architecture[group.name], group.full
            if group.task is None:
                encoder[group.name] = channels / whole
            elif group.task in tasks:
                whole = architecture[group.within] if group.within else whole
                decoders[group.task] = channels / whole
        return Widths(encoder=encoder, decoders=decoders)


class SubnetMetadata(BaseModel):
    """What is known about a sub-network beside its weights."""

    model_config = ConfigDict(frozen=True)

    model: str
    version: str
    model_digest: str
    tasks: tuple[str, ...]
    gmacs: float
    parameters: int
    """Values in the weights and biases of the ONNX file, batch norm folded."""
    size_bytes: int
    widths: Widths
    channels: dict[str, int]
    """Channel counts of the encoder's groups and of the kept decoders."""
    predicted: dict[str, dict[str, float | str]]
    timings_ms: dict[str, float]
    """``extract`` (slice, fold, write and check) and ``calibrate``."""


@dataclass(frozen=True)
class Subnet:
    """A finished sub-network."""

    subnet_id: str
    onnx: bytes
    """Input ``image`` float32 [N, 3, H, W], RGB in [0, 1]; one output per task, named after it."""
    metadata: SubnetMetadata


def choose(model: PublishedModel, request: SubnetRequest) -> Choice:
    """Searches the sub-network for a request. Equal requests get equal answers, on any replica.

    Raises:
        InfeasibleBudget: the smallest sub-network with these tasks exceeds the budget.
    """
    seed = int(request.digest(model), 16)
    cost = cost_model(model, request)
    result = search(
        request.search,
        model.space,
        cost,
        model.predictor.standardised_losses,
        request.counts(cost.unit),
        request.preference,
        np.random.default_rng(seed),
        request.tasks,
    )
    return Choice(
        subnet_id=subnet_id(model, result.architecture, request.tasks, request.precision),
        architecture=result.architecture,
        tasks=request.tasks,
        macs=model.cost.for_tasks(request.tasks).of(result.architecture),
        predicted=predict(model, result.architecture, request.tasks),
    )


def predict(
    model: PublishedModel, architecture: Architecture, tasks: Sequence[str]
) -> dict[str, dict[str, float | str]]:
    """The predicted loss and metric of these tasks."""
    channels_PG = np.array([architecture.channels], dtype=np.int64)
    losses_PN, metrics_PN = model.predictor.predict(model.space.ratios_of(channels_PG))
    return {
        task.name: {
            "loss": float(losses_PN[0, index]),
            "metric": task.metric.name,
            "value": float(metrics_PN[0, index]),
        }
        for index, task in enumerate(model.manifest.tasks)
        if task.name in tasks
    }


def subnet_id(
    model: PublishedModel, architecture: Architecture, tasks: Sequence[str], precision: str
) -> str:
    """The name of a sub-network, 32 hexadecimal digits: equal names are equal networks.

    A digest of the model version, the channel counts of the encoder and of the kept decoders, the
    tasks, the precision and the calibration images.
    """
    return canonical_digest(
        model.digest,
        channels_of(model, architecture, tasks),
        [t for t in model.space.tasks if t in tasks],
        precision,
        model.manifest.files[CALIBRATION].sha256,
    )[:32]


def architecture_of(model: PublishedModel, channels: Mapping[str, int]) -> Architecture:
    """The architecture that a description's channels are those of.

    Decoders that were dropped, and so are not named, stand at their smallest width.

    Raises:
        ValueError: the channels are not those of a sub-network of this model.
    """
    dropped = [g for g in model.space.groups if g.name not in channels]
    widest = {g.name: channels[g.within] if g.within else g.full for g in dropped}
    smallest = {g.name: min(g.smallest, widest[g.name]) for g in dropped}
    return model.space.from_channels({**channels, **smallest})


def build(
    model: PublishedModel, choice: Choice, threads: int, providers: Providers = CPU
) -> Subnet:
    """Cuts a sub-network out of the SuperNet: slice, calibrate, fold, finish.

    Args:
        model: the model; it is not changed.
        choice: what to cut.
        threads: threads that the calibration may use.
        providers: where the calibration runs.

    Raises:
        ModelError: the model's file was written to, before or meanwhile.
    """
    start = time.perf_counter()
    model.weights.check()
    sliced = cut(model.graph, model.space, model.manifest.slices, choice.architecture, choice.tasks)
    cut_at = time.perf_counter()
    statistics = calibrate(sliced, model.calibration_NHWC, threads, providers=providers)
    calibrated_at = time.perf_counter()
    folded, content = finish(
        sliced,
        statistics,
        stamp(model, choice.subnet_id, choice.architecture, choice.tasks, choice.macs),
    )
    model.weights.check()
    end = time.perf_counter()
    metadata = SubnetMetadata(
        model=model.manifest.name,
        version=model.manifest.version,
        model_digest=model.digest,
        tasks=choice.tasks,
        gmacs=choice.macs / 1e9,
        parameters=parameters(folded),
        size_bytes=len(content),
        widths=Widths.of(model, choice.architecture, choice.tasks),
        channels=channels_of(model, choice.architecture, choice.tasks),
        predicted={t: dict(p) for t, p in choice.predicted.items()},
        timings_ms={
            "extract": 1e3 * (end - calibrated_at + cut_at - start),
            "calibrate": 1e3 * (calibrated_at - cut_at),
        },
    )
    return Subnet(choice.subnet_id, content, metadata)


def finish(
    sliced: Graph, statistics: Statistics, metadata: Mapping[str, str]
) -> tuple[Graph, bytes]:
    """Folds batch norm and writes the ONNX file, checked by ``onnx.checker``."""
    folded = fold(sliced, statistics)
    content = serialise(folded, metadata)
    onnx.checker.check_model(content)
    return folded, content


def parameters(graph: Graph) -> int:
    """The number of values in the weights and biases of a graph's layers."""
    return sum(graph.weights[name].size for name in parameter_names(graph))

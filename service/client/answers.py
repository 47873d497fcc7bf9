"""What the service answers, typed. Members that a newer service adds are left out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """An answer."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Budgets(Answer):
    """The budgets that make a difference, in GMACs."""

    min_gmacs: float
    max_gmacs: float


class Summary(Answer):
    """A published model, in brief."""

    name: str
    version: str
    method: str
    default: bool
    tasks: tuple[str, ...]
    budget: Budgets


class Task(Answer):
    """A task of a model."""

    name: str
    kind: str
    classes: int
    labels: tuple[str, ...]


class Model(Answer):
    """A published model."""

    name: str
    version: str
    method: str
    digest: str
    default: bool
    tasks: tuple[Task, ...]
    input: dict[str, Any]
    budget: Budgets
    report: dict[str, Any]


class Widths(Answer):
    """Width ratios in (0, 1]: of the encoder's groups, and of the tasks' decoders."""

    encoder: dict[str, float]
    decoders: dict[str, float]


class Subnet(Answer):
    """A sub-network."""

    subnet_id: str
    model: str
    version: str
    tasks: tuple[str, ...]
    gmacs: float
    parameters: int
    size_bytes: int
    """Of the ONNX file."""
    widths: Widths
    predicted: dict[str, dict[str, float | str]]
    """By task: ``loss``, the ``metric``'s name, and its ``value``."""
    sha256: str
    """Of the ONNX file."""
    cache: str | None = None
    """Of a sub-network just dialled: ``hit`` where it had been built before, else ``miss``."""


class Health(Answer):
    """How the service is."""

    status: str
    """``ok``, ``degraded`` or ``draining``."""
    models: dict[str, str]
    """Versions by name."""
    provider: dict[str, str]


@dataclass(frozen=True, eq=False)
class Output:
    """What one task says about an image of height H and width W."""

    values: NDArray[Any]
    """By kind of task: probabilities [classes]; class indices [H, W]; metres, or probabilities,
    [H, W]; unit vectors [H, W, 3]."""
    logits: NDArray[np.float32] | None = None
    """Of a segmentation, at the network's own resolution: [classes, h, w]."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """An image as a sub-network sees it."""

    subnet_id: str
    gmacs: float
    """What the sub-network costs."""
    outputs: Mapping[str, Output]
    """By task."""

    def __getitem__(self, task: str) -> NDArray[Any]:
        """The values of a task."""
        return self.outputs[task].values

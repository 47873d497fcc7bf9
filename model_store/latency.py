"""Latency profiles: what was measured about a model's speed on one machine."""

import hashlib
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from model_store.published import PublishedModel
from model_store.subnet.cost import CostModel
from model_store.subnet.latency import LatencyModel

Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Place(_Part):
    """Where latency was measured: a profile holds for nothing else."""

    provider: str
    """ONNX Runtime's execution provider."""
    threads: Annotated[int, Field(ge=1)]
    """Threads of one prediction."""
    precision: str
    """What networks compute in."""
    machine: str
    """The processor's name."""


class ProfileErrors(_Part):
    """Predicted against measured time of sub-networks that the model was not fitted to."""

    sub_networks: Annotated[int, Field(ge=1)]
    within_10_percent: Share
    """The share of them that was predicted within 10 percent."""
    median: Share
    """Of the relative errors' sizes; so are the others."""
    p90: Share
    worst: Share


class LatencyProfile(_Part):
    """The latency model of a model version in one place, and how good it is."""

    schema_version: Literal[1] = 1
    model: str
    version: str
    model_digest: str
    place: Place
    created: str
    """ISO 8601."""
    onnxruntime: str
    measured: Annotated[int, Field(ge=1)]
    """Sub-networks that were measured, those held out included."""
    fastest_ms: Positive
    slowest_ms: Positive
    held_out: ProfileErrors
    block: Annotated[int, Field(ge=1, le=1024)]
    """Channel counts are rounded up to multiples of this."""
    rates: dict[str, Positive]
    """Milliseconds for each unit of a feature (:mod:`model_store.subnet.latency`)."""

    @property
    def digest(self) -> str:
        """SHA-256 of the profile, part of the digests of requests that use it."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def cost_model(self, model: PublishedModel, tasks: Sequence[str]) -> CostModel:
        """Time of the sub-networks with these tasks; its unit is the millisecond."""
        latency = LatencyModel(self.block, self.rates)
        return latency.cost_model(model.space, model.cost.terms, tasks)

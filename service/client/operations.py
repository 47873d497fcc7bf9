"""What the service can be asked, each as one exchange or two."""

import hashlib
import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import to_json

from service.client.answers import Health, Model, Output, Prediction, Subnet, Summary
from service.client.errors import IntegrityError
from service.client.exchange import Clock, Operation, Reply, Send, exchange

T = TypeVar("T", bound=BaseModel)

_NPZ = "application/x-npz"
_LOGITS = ".logits"


@dataclass(frozen=True)
class Dial:
    """Which sub-network: budget and preference, as the service takes them."""

    budget: float | Mapping[str, float]
    """GMACs at batch 1, or another kind of budget by name."""
    preference: Mapping[str, float]
    """Task to preference in [0, 1]; tasks that are not named have 0."""
    model: str | None = None
    tasks: Sequence[str] | None = None
    search: str | None = None
    adaptive: bool = False
    """Whether a prediction may be made by a smaller one under load."""

    def fields(self) -> dict[str, Any]:
        """As JSON; what is None is left to the service."""
        budget = self.budget
        found: dict[str, Any] = {
            "budget": dict(budget) if isinstance(budget, Mapping) else {"gmacs": budget},
            "preference": dict(self.preference),
            "model": self.model,
            "tasks": None if self.tasks is None else list(self.tasks),
            "search": self.search,
            "adaptive": self.adaptive or None,
        }
        return {name: value for name, value in found.items() if value is not None}


def models(deadline: float, now: Clock) -> Operation[tuple[Summary, ...]]:
    """All models served."""
    reply = yield from exchange(Send("GET", "/models"), deadline, now)
    return _read(reply, _Models).models


def model(name: str, deadline: float, now: Clock) -> Operation[Model]:
    """One model."""
    reply = yield from exchange(Send("GET", f"/models/{_part(name)}"), deadline, now)
    return _read(reply, Model)


def health(deadline: float, now: Clock) -> Operation[Health]:
    """How the service is."""
    reply = yield from exchange(Send("GET", "/healthz"), deadline, now)
    return _read(reply, Health)


def dialled(dial: Dial, deadline: float, now: Clock) -> Operation[Subnet]:
    """The sub-network for a budget and a preference."""
    request = Send(
        "POST",
        "/subnet",
        headers={"content-type": "application/json"},
        content=to_json(dial.fields(), inf_nan_mode="constants"),
    )
    reply = yield from exchange(request, deadline, now)
    return _read(reply, Subnet)


def described(subnet_id: str, deadline: float, now: Clock) -> Operation[Subnet]:
    """A sub-network that was dialled before."""
    reply = yield from exchange(Send("GET", f"/subnet/{_part(subnet_id)}"), deadline, now)
    return _read(reply, Subnet)


def onnx(subnet: Subnet | str, deadline: float, now: Clock) -> Operation[bytes]:
    """A sub-network's ONNX file, checked against the digest of its description.

    Raises:
        IntegrityError: what came is another file.
    """
    if isinstance(subnet, str):
        subnet = yield from described(subnet, deadline, now)
    path = f"/subnet/{_part(subnet.subnet_id)}/onnx"
    reply = yield from exchange(Send("GET", path), deadline, now)
    found = hashlib.sha256(reply.content).hexdigest()
    if found != subnet.sha256:
        raise IntegrityError(
            f"the ONNX file of {subnet.subnet_id} has SHA-256 {found}, expected {subnet.sha256}"
        )
    return reply.content


def predicted(
    image: bytes, wanted: Dial | str, deadline: float, now: Clock
) -> Operation[Prediction]:
    """A prediction: arrays as they are, without base64 or PNGs in between.

    Args:
        image: a JPEG, PNG or WebP.
        wanted: the ``subnet_id``, or a dial.
        deadline: on the clock.
        now: the clock.
    """
    fields = {"subnet_id": wanted} if isinstance(wanted, str) else wanted.fields()
    request = Send(
        "POST",
        "/predict",
        query={"request": to_json(fields, inf_nan_mode="constants").decode()},
        headers={"content-type": "image/*", "accept": _NPZ},
        content=image,
    )
    reply = yield from exchange(request, deadline, now)
    arrays = _arrays(reply)
    try:
        subnet_id, gmacs = reply.headers["x-subnet-id"], float(reply.headers["x-gmacs"])
    except (KeyError, ValueError) as error:
        raise IntegrityError("the answer does not say which sub-network gave it") from error
    return Prediction(
        subnet_id,
        gmacs,
        {
            name: Output(values, arrays.get(f"{name}{_LOGITS}"))
            for name, values in arrays.items()
            if not name.endswith(_LOGITS)
        },
    )


class _Models(BaseModel):
    models: tuple[Summary, ...]


def _part(text: str) -> str:
    return quote(text, safe="")


def _read(reply: Reply, kind: type[T]) -> T:
    try:
        return TypeAdapter(kind).validate_json(reply.content)
    except ValidationError as error:
        raise IntegrityError(f"not an answer of this service: {error.error_count()} errors") from (
            error
        )


def _arrays(reply: Reply) -> dict[str, NDArray[Any]]:
    try:
        with np.load(io.BytesIO(reply.content), allow_pickle=False) as archive:
            return dict(archive.items())
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise IntegrityError("the answer is not a NumPy archive") from error

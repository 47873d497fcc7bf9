"""From the bytes of an inference request to its tensor; bytes are not copied where they align."""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_store.subnet.graph import INPUT
from service.bodies import parse_json, refuse_intricate
from service.errors import BadRequestError, InvalidFieldsError
from service.oip.schemas import InferBody, InferInput, InferOutput

HEADER = "Inference-Header-Content-Length"

_DATATYPE = "FP32"
_BYTES = 4


@dataclass(frozen=True)
class Request:
    """A request whose JSON is read."""

    body: InferBody
    tail: memoryview
    """What follows the JSON: the bytes of binary tensors."""


@dataclass(frozen=True)
class Bounds:
    """The inputs that are taken."""

    height: int
    width: int
    batch: int
    """The most images."""


def json_length(body: bytes, header: str | None) -> int:
    """Bytes of a body that are JSON.

    Args:
        body: JSON, then the bytes of binary tensors.
        header: how long the JSON is, in decimal; the whole body if None.

    Raises:
        BadRequestError: the header is no number, or a larger one than the body has bytes.
    """
    if header is None:
        return len(body)
    if not (header.isascii() and header.isdigit() and len(header) < 12):
        raise BadRequestError(f"{HEADER} must be a number of bytes")
    length = int(header)
    if length > len(body):
        raise BadRequestError(f"{HEADER} is {length}, and the body has {len(body)} bytes")
    return length


def read(body: bytes, json_bytes: int, bounds: Bounds) -> Request:
    """Takes a body apart.

    Args:
        body: JSON, then the bytes of binary tensors.
        json_bytes: how long the JSON is, at most the whole body.
        bounds: of the tensor that may be in the JSON.

    Raises:
        BadRequestError: the JSON is not a request.
        TooLargeError: it has more in it than a request.
    """
    text = body[:json_bytes]
    rows = bounds.batch * 3 * bounds.height
    refuse_intricate(text, lists=1 + 4 * bounds.batch + rows, numbers=rows * bounds.width)
    return Request(_parsed(text), memoryview(body)[json_bytes:])


def tensor(request: Request, bounds: Bounds) -> NDArray[np.float32]:
    """The one input, [N, 3, H, W]. It may be a view into the body, and then cannot be written.

    Raises:
        BadRequestError: it has another name, type, shape or size than it should.
    """
    if len(request.body.inputs) != 1:
        names = [i.name for i in request.body.inputs]
        raise BadRequestError(f"expected one input, {INPUT!r}; there are {names}")
    (given,) = request.body.inputs
    _check(given, bounds)
    size = given.parameters.get("binary_data_size")
    if size is None:
        if len(request.tail):
            raise BadRequestError(
                f"{len(request.tail)} bytes follow the JSON and belong to no input"
            )
        return _from_json(given)
    if given.data is not None:
        raise BadRequestError(f"input {given.name!r} has both data and binary_data_size")
    expected = _BYTES * prod(given.shape)
    if size != expected or isinstance(size, bool):
        raise BadRequestError(
            f"input {given.name!r} of shape {given.shape} takes {expected} bytes; "
            f"binary_data_size says {size}"
        )
    if len(request.tail) != expected:
        raise BadRequestError(
            f"binary_data_size is {size}, and {len(request.tail)} bytes follow the JSON"
        )
    flat = np.frombuffer(request.tail, "<f4").reshape(given.shape)
    # A JSON header of a length that 4 does not divide leaves the bytes where no float may stand.
    return np.require(flat, np.float32, ["C", "A"])


def wanted(outputs: list[InferOutput], tasks: tuple[str, ...]) -> tuple[str, ...]:
    """The tasks that are asked for, in the order of the request; all if none is named.

    Raises:
        BadRequestError: an output is not a task of the sub-network, is named twice, or should
            come in a way that there is not.
    """
    names = tuple(o.name for o in outputs)
    if unknown := sorted(set(names) - set(tasks)):
        raise BadRequestError(f"unknown outputs {unknown}; this version has {list(tasks)}")
    if len(set(names)) < len(names):
        raise BadRequestError("an output is asked for twice")
    for output in outputs:
        if others := sorted(set(output.parameters) - {"binary_data"}):
            raise BadRequestError(f"output {output.name!r}: {others} are not supported")
    return names or tasks


def binary_outputs(body: InferBody, names: tuple[str, ...]) -> frozenset[str]:
    """Those that are to come as bytes after the JSON.

    Raises:
        BadRequestError: ``binary_data`` or ``binary_data_output`` is not true or false.
    """
    every = body.parameters.get("binary_data_output", False)
    asked = {o.name: o.parameters.get("binary_data", every) for o in body.outputs}
    found = {name: asked.get(name, every) for name in names}
    if not all(isinstance(v, bool) for v in (every, *found.values())):
        raise BadRequestError("binary_data and binary_data_output are true or false")
    return frozenset(name for name, value in found.items() if value)


def _parsed(content: bytes) -> InferBody:
    try:
        return parse_json(content, InferBody)
    except InvalidFieldsError as error:  # this protocol has one status for what cannot be read
        raise BadRequestError(error.detail, **error.extra) from error


def _check(given: InferInput, bounds: Bounds) -> None:
    if given.name != INPUT:
        raise BadRequestError(f"unknown input {given.name!r}; expected {INPUT!r}")
    if given.datatype != _DATATYPE:
        raise BadRequestError(f"input {INPUT!r} is {_DATATYPE}, not {given.datatype!r}")
    if others := sorted(set(given.parameters) - {"binary_data_size"}):
        raise BadRequestError(f"input {INPUT!r}: {others} are not supported")
    image = [3, bounds.height, bounds.width]
    if len(given.shape) != 4 or given.shape[1:] != image:
        raise BadRequestError(f"input {INPUT!r} has shape {given.shape}; expected {['N', *image]}")
    if not 1 <= given.shape[0] <= bounds.batch:
        raise BadRequestError(
            f"input {INPUT!r} has {given.shape[0]} images; expected 1 to {bounds.batch}"
        )


def _from_json(given: InferInput) -> NDArray[np.float32]:
    if given.data is None:
        raise BadRequestError(f"input {given.name!r} has neither data nor binary_data_size")
    values: NDArray[Any] | None = None
    try:
        values = np.asarray(given.data)
    except ValueError:  # lists of different lengths
        values = None
    if values is None or values.dtype.kind not in "iuf":
        raise BadRequestError(f"input {given.name!r}: data are not numbers, row by row")
    if (values.ndim != 1 and list(values.shape) != given.shape) or values.size != prod(given.shape):
        raise BadRequestError(
            f"input {given.name!r}: data of shape {list(values.shape)} do not fit {given.shape}"
        )
    with np.errstate(over="ignore"):
        found = values.astype(np.float32).reshape(given.shape)
    if not np.isfinite(found).all():
        raise BadRequestError(f"input {given.name!r}: numbers are too large for {_DATATYPE}")
    return found

"""From output tensors to the bytes of an answer: JSON, then binary tensors."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic_core import to_json

# Conversion to text holds the interpreter: piece by piece, others get their turn in between.
_PIECE = 1 << 15


@dataclass(frozen=True)
class Encoded:
    """The body of an answer."""

    content: bytes
    header_length: int | None
    """Bytes of its JSON, where tensors follow it."""


def encode(
    head: Mapping[str, object], outputs: Mapping[str, NDArray[np.float32]], binary: frozenset[str]
) -> Encoded:
    """An answer.

    Args:
        head: its members beside the outputs.
        outputs: by name, in the order of the answer.
        binary: those that come as little-endian bytes after the JSON.
    """
    tensors = {n: np.ascontiguousarray(v, "<f4") for n, v in outputs.items()}
    pieces: list[bytes] = [to_json(head)[:-1], b',"outputs":[']
    for index, (name, values) in enumerate(tensors.items()):
        if index:
            pieces.append(b",")
        described: dict[str, object] = {
            "name": name,
            "datatype": "FP32",
            "shape": list(values.shape),
        }
        if name in binary:
            pieces.append(to_json(described | {"parameters": {"binary_data_size": values.nbytes}}))
        else:
            pieces += [to_json(described)[:-1], b',"data":[', *_numbers(values), b"]}"]
    pieces.append(b"]}")
    length = sum(map(len, pieces))
    # Joined from the arrays' own memory: each tensor is copied once.
    tail = [v.reshape(-1).view(np.uint8).data for n, v in tensors.items() if n in binary]
    return Encoded(b"".join([*pieces, *tail]), length if tail else None)


def size(shapes: Mapping[str, tuple[int, ...]], batch: int, binary: frozenset[str]) -> int:
    """About how many bytes an answer takes.

    Args:
        shapes: of the outputs, without the batch.
        batch: images.
        binary: those that come as bytes; text takes about five times as much.
    """
    per_image = sum(int(np.prod(s)) * (4 if n in binary else 20) for n, s in shapes.items())
    return batch * per_image


def _numbers(values: NDArray[np.float32]) -> Iterator[bytes]:
    flat = values.reshape(-1)
    for start in range(0, flat.size, _PIECE):
        if start:
            yield b","
        yield to_json(flat[start : start + _PIECE].tolist(), inf_nan_mode="null")[1:-1]

"""Network outputs as the answer to a prediction: JSON with PNGs inside, or raw arrays.

One function makes an array of each output at the image's size; the encodings follow from it.
"""

import base64
import io
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray
from PIL import Image

from model_store.manifest import Task
from model_store.npz import npz
from service.errors import UnprocessableError
from service.maps import class_map, resize, unit_vectors

DEPTH_SCALE_M = 0.001
"""Metres per count of a 16-bit depth PNG: a millimetre, up to 65.535 m."""

# Bytes per pixel before compression: in a PNG, in an npz.
_BYTES = {
    "classification": (0, 0),
    "segmentation": (2, 2),
    "depth": (2, 4),
    "normals": (3, 12),
    "edges": (1, 4),
    "saliency": (1, 4),
}


class Output(NamedTuple):
    """What one task says about the image."""

    task: Task
    values: NDArray[Any]
    """By kind: probabilities [classes]; class indices [H, W]; metres, or probabilities, [H, W];
    unit vectors [H, W, 3] (x right, y down, z forward). H, W are the image's."""
    raw: NDArray[np.float32]
    """The network's own output without the batch dimension, at its own resolution."""


def check_size(
    tasks: Mapping[str, Task], height: int, width: int, limit_bytes: int, raw: bool
) -> None:
    """Refuses an answer that would be too large.

    Raises:
        UnprocessableError: the dense outputs at the image's size exceed the limit.
    """
    size = sum(_BYTES[t.kind][raw] for t in tasks.values()) * height * width
    if size > limit_bytes:
        raise UnprocessableError(
            f"the outputs for {len(tasks)} tasks at {width} x {height} take {size} bytes, "
            f"{limit_bytes} are allowed: ask for fewer tasks or scale the image down",
            max_output_bytes=limit_bytes,
        )


def interpret(
    tasks: Mapping[str, Task], raw: Mapping[str, NDArray[np.float32]], height: int, width: int
) -> dict[str, Output]:
    """Network outputs (batch of one) at the image's size, by task."""
    mine = {name: raw[name][0] for name in tasks}
    certain = _probabilities(
        {name: mine[name] for name, task in tasks.items() if task.kind == "classification"}
    )
    return {
        name: Output(
            task,
            certain[name] if name in certain else _map(task, mine[name], height, width),
            mine[name],
        )
        for name, task in tasks.items()
    }


def _probabilities(logits: Mapping[str, NDArray[np.float32]]) -> Mapping[str, NDArray[np.float32]]:
    """The softmax of each. There may be dozens of short ones: those of one length are one array."""
    by_length: dict[int, list[str]] = {}
    for name, values in logits.items():
        by_length.setdefault(len(values), []).append(name)
    found: dict[str, NDArray[np.float32]] = {}
    for names in by_length.values():
        stacked = np.array([logits[name] for name in names])
        powers = np.exp(stacked - stacked.max(axis=1, keepdims=True))
        found |= zip(names, powers / powers.sum(axis=1, keepdims=True), strict=True)
    return found


def _map(task: Task, raw: NDArray[np.float32], height: int, width: int) -> NDArray[Any]:
    match task.kind:
        case "segmentation":
            return class_map(raw, height, width)
        case "normals":
            return unit_vectors(raw, height, width)
        case _:
            return resize(raw[0], height, width)


def as_json(output: Output) -> dict[str, Any]:
    """One output as JSON; probabilities stay an array, which orjson writes."""
    task, values = output.task, output.values
    if task.kind == "classification":
        return {
            "kind": task.kind,
            "labels": task.labels or [str(i) for i in range(task.classes)],
            "probabilities": values,
        }
    height, width = values.shape[:2]
    answer: dict[str, Any] = {"kind": task.kind, "height": height, "width": width}
    match task.kind:
        case "segmentation":
            # Grey levels are class indices, so that every library reads them unchanged.
            small = task.classes <= 256
            pixels = values.astype(np.uint8) if small else values
            answer |= {"encoding": "png" if small else "png16", "labels": list(task.labels)}
        case "depth":
            counts = np.rint(values / DEPTH_SCALE_M).clip(0, 65535)
            pixels = counts.astype(np.uint16)
            answer |= {"encoding": "png16", "scale": DEPTH_SCALE_M, "unit": "m"}
        case "normals":
            pixels = to_bytes((values + 1) / 2)
            answer |= {"encoding": "png", "scale": 2 / 255, "offset": -1.0}
        case _:
            pixels = to_bytes(values)
            answer |= {"encoding": "png", "scale": 1 / 255}
    return answer | {"data": base64.b64encode(png(Image.fromarray(pixels))).decode()}


def dumps(body: Mapping[str, Any]) -> bytes:
    """JSON with arrays in it; what is not finite is null."""
    return orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)


def as_npz(outputs: Mapping[str, Output]) -> bytes:
    """All outputs as a NumPy archive: values by task, and ``<task>.logits`` for segmentation."""
    arrays: dict[str, NDArray[Any]] = {}
    for name, output in outputs.items():
        arrays[name] = output.values
        if output.task.kind == "segmentation":
            arrays[f"{name}.logits"] = output.raw
    return npz(arrays)


def to_bytes(unit: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Values in [0, 1] as bytes."""
    scaled = unit * np.float32(255)
    # In place: at millions of pixels, memory is what takes the time.
    np.rint(scaled, out=scaled)
    np.clip(scaled, 0, 255, out=scaled)
    return scaled.astype(np.uint8)


def png(image: Image.Image) -> bytes:
    """A PNG, written fast: half the size is not worth ten times the time.

    After PNG's own filters what repeats is runs: looking for these alone is faster, and files of
    the outputs here are no larger on the whole.
    """
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1, compress_type=zlib.Z_RLE)
    return buffer.getvalue()

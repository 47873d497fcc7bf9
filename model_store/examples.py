"""Pictures that come with a model, to try it with and to measure it on.

Test pictures with their ground truth, where the model was published with some. Where it was not,
some of its calibration pictures, if they are synthetic: real ones may be private and are never
shown.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model_store.manifest import TaskKind
from model_store.published import PublishedModel
from model_store.verified import read_arrays, read_verified

Source = Literal["test", "calibration"]

_FOLDER = "examples/"
_CALIBRATION = "calibration-"
_CALIBRATION_PICTURES = 6


@dataclass(frozen=True)
class Example:
    """A picture and what is known about it."""

    name: str
    source: Source
    picture: bytes
    """PNG, at the network's input size."""
    truth: Mapping[str, NDArray[Any]]
    """By task, as :func:`model_store.quality.quality` reads it; only the tasks that have one."""


def example_names(model: PublishedModel) -> tuple[str, ...]:
    """The examples of a model, sorted; perhaps none."""
    files = [f for f in model.manifest.files if f.startswith(_FOLDER) and f.endswith(".png")]
    if files:
        return tuple(sorted(f.removeprefix(_FOLDER).removesuffix(".png") for f in files))
    if model.manifest.calibration.kind != "synthetic":
        return ()
    count = min(_CALIBRATION_PICTURES, len(model.calibration_NHWC))
    return tuple(f"{_CALIBRATION}{i}" for i in range(count))


def measurable_names(model: PublishedModel) -> tuple[str, ...]:
    """The examples whose ground truth is known."""
    files = model.manifest.files
    return tuple(n for n in example_names(model) if f"{_FOLDER}{n}.npz" in files)


def read_example(model: PublishedModel, name: str) -> Example:
    """One example.

    Raises:
        KeyError: there is none of this name.
        ModelError: its files are not what the manifest says.
    """
    if name not in example_names(model):
        raise KeyError(name)
    picture, arrays = f"{_FOLDER}{name}.png", f"{_FOLDER}{name}.npz"
    files = model.manifest.files
    if picture not in files:
        index = int(name.removeprefix(_CALIBRATION))
        return Example(name, "calibration", _png(model.calibration_NHWC[index]), {})
    content = read_verified(model.path / picture, files[picture])
    if arrays not in files:
        return Example(name, "test", content, {})
    spec, tasks = model.manifest.input, model.manifest.tasks
    expected = {t.name: _stored(t.kind, spec.height, spec.width) for t in tasks}
    found = read_arrays(model.path / arrays, files[arrays], expected)
    truth = {t.name: _as_read(t.kind, found[t.name]) for t in tasks if t.name in found}
    return Example(name, "test", content, truth)


def _stored(kind: TaskKind, height: int, width: int) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of a ground truth as ``publish`` writes it."""
    match kind:
        case "classification":
            return (), np.dtype(np.uint8)
        case "depth":
            return (height, width), np.dtype(np.float16)
        case "normals":
            return (3, height, width), np.dtype(np.float16)
        case _:
            return (height, width), np.dtype(np.uint8)


def _as_read(kind: TaskKind, stored: NDArray[Any]) -> NDArray[Any]:
    if kind == "normals":
        return stored.transpose(1, 2, 0).astype(np.float32)
    return stored.astype(np.float32) if kind == "depth" else stored


def _png(pixels_HWC: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels_HWC).save(buffer, "PNG")
    return buffer.getvalue()

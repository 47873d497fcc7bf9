"""What all servers are given: one network, some pictures, and what the outputs mean."""

import base64
import io
import json
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.serving.load import Body
from benchmarks.serving.running import post
from model_store.published import default_root

_JPEG = "image/jpeg"
_TOLERANCE = 1e-4
_PIXELS_ALIKE = 0.999


@dataclass(frozen=True)
class Job:
    """A network that this service has cut out, and pictures for it."""

    folder: Path
    """With ``network.onnx`` and ``tasks.json``."""
    pictures: tuple[Body, ...]


def dial(url: str, model: str) -> dict[str, Any]:
    """The sub-network of a model for its whole budget."""
    wish = json.dumps({"model": model, "budget": {"fraction": 1.0}}).encode()
    found: dict[str, Any] = json.loads(post(url + "/subnet", wish, "application/json"))
    return found


def make_job(url: str, model: str, folder: Path) -> Job:
    """Has the sub-network for the whole budget cut out, and writes down what it is.

    Args:
        url: of this service.
        model: a model that it serves.
        folder: where to write; it must not be there yet.
    """
    folder.mkdir()
    (folder / "network.onnx").write_bytes(_get(url + dial(url, model)["links"]["onnx"]))
    about = json.loads(_get(f"{url}/models/{model}"))
    tasks = [{k: t[k] for k in ("name", "kind", "labels")} for t in about["tasks"]]
    size = {k: about["input"][k] for k in ("height", "width")}
    (folder / "tasks.json").write_text(json.dumps({**size, "tasks": tasks}))
    return Job(folder, tuple(pictures(folder)))


def pictures(folder: Path) -> list[Body]:
    """The examples of ``rooms``, as the JPEGs that a camera would send, written to a folder."""
    found = []
    for source in sorted((default_root() / "rooms").glob("*/examples/*.png")):
        target = folder / f"{source.stem}.jpg"
        Image.open(source).convert("RGB").save(target, quality=90)
        found.append(Body(target, _JPEG))
    return found


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url) as response:
        found: bytes = response.read()
    return found


def check_same(ours: dict[str, Any], theirs: dict[str, Any], who: str) -> None:
    """Two servers have done the same work.

    Raises:
        ValueError: their answers differ by more than rounding.
    """
    for task, mine in ours["outputs"].items():
        other = theirs["outputs"][task]
        if mine["kind"] == "classification":
            ours_C, theirs_C = (np.asarray(a["probabilities"]) for a in (mine, other))
            same = ours_C.shape == theirs_C.shape
            same = same and np.allclose(ours_C, theirs_C, atol=_TOLERANCE)
        else:
            mine_HW, other_HW = _pixels(mine), _pixels(other)
            same = mine_HW.shape == other_HW.shape
            # Classes and counts may flip where two ways of rounding meet.
            same = same and float((abs(mine_HW - other_HW) <= 1).mean()) >= _PIXELS_ALIKE
        if not same:
            raise ValueError(f"{who} answers {task!r} with something else than slimdial")


def _pixels(answer: dict[str, Any]) -> NDArray[np.int64]:
    image = Image.open(io.BytesIO(base64.b64decode(answer["data"])))
    return np.asarray(image).astype(np.int64)

"""What every peer does with a picture, apart from HTTP: decode, run, encode.

As a user would write it who knows numpy, Pillow and onnxruntime. It needs nothing else but orjson:
peers have virtual environments of their own, and do not import slimdial.
"""

import base64
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]
import orjson
from numpy.typing import NDArray
from PIL import Image

FOLDER = "PEER_FOLDER"
"""Environment variable: the folder of ``network.onnx`` and ``tasks.json``."""


class Work:
    """A network and what its outputs mean. May be called from several threads."""

    def __init__(self, folder: Path) -> None:
        """Loads the network.

        Args:
            folder: with ``network.onnx`` and ``tasks.json``: ``height`` and ``width`` of the input,
                and ``tasks`` with ``name``, ``kind`` and ``labels``.
        """
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = ort.InferenceSession(
            folder / "network.onnx", options, providers=["CPUExecutionProvider"]
        )
        about = json.loads((folder / "tasks.json").read_text())
        self._size = (about["width"], about["height"])
        self._tasks = about["tasks"]
        self._names = [t["name"] for t in self._tasks]

    @staticmethod
    def from_environment() -> "Work":
        """That of the folder which the environment names."""
        return Work(Path(os.environ[FOLDER]))

    def __call__(self, content: bytes) -> bytes:
        """From an image file to JSON."""
        image, width, height = self.decode(content)
        return self.encode(self.run(image), width, height)

    def decode(self, content: bytes) -> tuple[NDArray[np.float32], int, int]:
        """The network's input, and width and height of the picture."""
        with Image.open(io.BytesIO(content)) as picture:
            width, height = picture.size
            # Of a JPEG: decoded at a half, a quarter or an eighth where that is large enough.
            picture.draft(None, (2 * self._size[0], 2 * self._size[1]))
            small = picture.convert("RGB").resize(self._size, Image.Resampling.BILINEAR)
            pixels_HWC = np.asarray(small, dtype=np.float32) / np.float32(255)
            return np.ascontiguousarray(pixels_HWC.transpose(2, 0, 1))[None], width, height

    def run(self, image_NCHW: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The network's outputs."""
        found: list[NDArray[np.float32]] = self._session.run(self._names, {"image": image_NCHW})
        return found

    def encode(self, outputs: list[NDArray[np.float32]], width: int, height: int) -> bytes:
        """Outputs as JSON; dense ones at the picture's size, as PNG in base64."""
        answers: dict[str, dict[str, Any]] = {}
        for task, output in zip(self._tasks, outputs, strict=True):
            answers[task["name"]] = self._answer(task, output[0], width, height)
        return orjson.dumps({"outputs": answers})

    def _answer(
        self, task: dict[str, Any], raw: NDArray[np.float32], width: int, height: int
    ) -> dict[str, Any]:
        kind = task["kind"]
        if kind == "classification":
            powers = np.exp(raw - raw.max())
            probabilities = (powers / powers.sum()).tolist()
            return {"kind": kind, "labels": task["labels"], "probabilities": probabilities}
        values_CHW = np.stack([_resize(c, width, height) for c in raw])
        match kind:
            case "segmentation":
                pixels = values_CHW.argmax(0).astype(np.uint8)
            case "depth":
                pixels = np.rint(values_CHW[0] / 0.001).clip(0, 65535).astype(np.uint16)
            case "normals":
                lengths_HW = np.maximum(np.linalg.norm(values_CHW, axis=0), 1e-6)
                pixels = _to_bytes((values_CHW / lengths_HW + 1) / 2).transpose(1, 2, 0)
            case _:
                pixels = _to_bytes(values_CHW[0])
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
        data = base64.b64encode(buffer.getvalue()).decode()
        return {"kind": kind, "labels": task["labels"], "encoding": "png", "data": data}


def _resize(map_HW: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    if map_HW.shape == (height, width):
        return map_HW
    return np.asarray(Image.fromarray(map_HW).resize((width, height), Image.Resampling.BILINEAR))


def _to_bytes(unit: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(unit * 255).clip(0, 255).astype(np.uint8)

"""A fitted predictor as the command ``predictor`` leaves it in a run folder."""

import json
from pathlib import Path

import numpy as np
import safetensors
from numpy.typing import NDArray

from training import checkpoint
from training.predictor import PredictorQuality


def load_fitted(folder: Path) -> tuple[dict[str, NDArray[np.float32]], PredictorQuality]:
    """Reads the predictor's tensors and how well it predicts.

    Raises:
        ValueError: it was not fitted yet, cannot be read, or is that of another checkpoint.
    """
    tensors, quality = folder / "predictor.safetensors", folder / "predictor.json"
    for file in (tensors, quality):
        if not file.is_file():
            raise ValueError(
                f"{file} does not exist; fit the predictor first: slimdial-train predictor"
            )
    try:
        with safetensors.safe_open(tensors, "numpy") as file:
            measured = (file.metadata() or {}).get("checkpoint")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        fitted = PredictorQuality(**json.loads(quality.read_text()))
    except (safetensors.SafetensorError, TypeError, ValueError) as error:
        raise ValueError(
            f"{folder}: the predictor cannot be read ({error}); "
            "fit it again: slimdial-train predictor"
        ) from error
    if measured != checkpoint.digest(folder / "checkpoint.pt"):
        raise ValueError(
            f"{tensors} was fitted to a network that has since been trained again; "
            "remove the samples beside it (samples*.jsonl) and fit it again: "
            "slimdial-train predictor"
        )
    return arrays, fitted

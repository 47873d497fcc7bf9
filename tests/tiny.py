"""A complete published model that takes milliseconds to make, and no torch."""

import io
import json
from pathlib import Path

import numpy as np
import safetensors.numpy

from model_store.manifest import CalibrationSpec, InputSpec, Manifest, Provenance
from model_store.published import ModelStore
from model_store.subnet.predictor import tensor_shapes
from model_store.subnet.weights import split_weights
from tests.tiny_network import DIVISOR, MEAN, SIZE, STD, TASKS, TinyNetwork, groups

CALIBRATION_IMAGES = 16


def tiny_model_files(
    name: str = "tiny", version: str = "1", seed: int = 0
) -> tuple[dict[str, bytes], Manifest]:
    """The files of the tiny model, and its manifest without their digests."""
    network = TinyNetwork(seed)
    graph, data = split_weights(network.model())
    images = io.BytesIO()
    np.savez_compressed(images, images=tiny_images(CALIBRATION_IMAGES, seed))
    manifest = Manifest(
        schema_version=1,
        name=name,
        version=version,
        method="ecmt",
        divisor=DIVISOR,
        provenance=Provenance(
            dataset="noise",
            recipe="tiny",
            seed=seed,
            libraries={"numpy": np.__version__},
            created="2025-01-01",
            attribution="nobody",
            license="CC0-1.0",
        ),
        tasks=TASKS,
        input=InputSpec(height=SIZE, width=SIZE, channel_order="RGB", mean=MEAN, std=STD),
        groups=groups(),
        slices=network.slices,
        cost=tuple(network.cost),
        calibration=CalibrationSpec(kind="synthetic", images=CALIBRATION_IMAGES),
    )
    return {
        "supernet.onnx": graph,
        "supernet.onnx.data": data,
        "predictor.safetensors": _predictor(seed),
        "calibration.npz": images.getvalue(),
        "report.json": json.dumps({"full": {t.name: {"loss": 1.0} for t in TASKS}}).encode(),
    }, manifest


def publish_tiny(root: Path, name: str = "tiny", version: str = "1", seed: int = 0) -> Path:
    """Publishes the tiny model under ``root`` and returns the folder of its version."""
    return ModelStore(root).publish(name, version, *tiny_model_files(name, version, seed))


def tiny_images(count: int, seed: int) -> np.ndarray[tuple[int, int, int, int], np.dtype[np.uint8]]:
    """Random images with large patches, uint8 [count, 32, 32, 3]."""
    patches = np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    return patches.repeat(SIZE // 8, axis=1).repeat(SIZE // 8, axis=2)


def _predictor(seed: int) -> bytes:
    """A random predictor by which wider is better: in loss for all tasks, and in their metrics.

    Its trunk has no negative weight, so every unit grows with every width.
    """
    rng = np.random.default_rng(seed)
    tensors = {
        name: np.abs(rng.normal(0.0, 1.0 / shape[-1], shape)).astype(np.float32)
        for name, shape in tensor_shapes(len(TASKS), len(groups())).items()
    }
    directions = [1.0 if t.metric.higher_is_better else -1.0 for t in TASKS]
    signs = np.array([-1.0] * len(TASKS) + directions, np.float32)
    tensors["heads.weight"] *= signs[:, None]
    tensors["heads.bias"] = np.zeros_like(tensors["heads.bias"])
    tensors["targets.mean"] = np.full_like(tensors["targets.mean"], 0.5)
    tensors["targets.std"] = np.full_like(tensors["targets.std"], 0.1)
    return safetensors.numpy.save(tensors)

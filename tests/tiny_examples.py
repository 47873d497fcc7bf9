"""The tiny model with test pictures and ground truth, in the form that ``publish`` writes."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model_store.published import ModelStore
from tests.tiny import tiny_images, tiny_model_files
from tests.tiny_network import SIZE


def tiny_truth(seed: int) -> dict[str, NDArray[Any]]:
    """Ground truth of one picture for every task, some of it absent."""
    rng = np.random.default_rng(seed)
    normals_CHW = rng.normal(size=(3, SIZE, SIZE))
    normals_CHW /= np.linalg.norm(normals_CHW, axis=0)
    normals_CHW[:, :2] = 0
    depth_HW = rng.uniform(0.5, 5.0, (SIZE, SIZE))
    depth_HW[:3] = 0
    labels_HW = rng.integers(0, 4, (SIZE, SIZE), dtype=np.uint8)
    labels_HW[:, :4] = 255
    return {
        "animals": np.array(1, np.uint8),
        "semseg": labels_HW,
        "depth": depth_HW.astype(np.float16),
        "normals": normals_CHW.astype(np.float16),
        "edges": (rng.random((SIZE, SIZE)) < 0.2).astype(np.uint8),
        "saliency": (rng.random((SIZE, SIZE)) < 0.4).astype(np.uint8),
    }


def example_files(count: int = 2) -> dict[str, bytes]:
    """Pictures and their ground truth."""
    files = {}
    for i, pixels_HWC in enumerate(tiny_images(count, seed=7)):
        picture, arrays = io.BytesIO(), io.BytesIO()
        Image.fromarray(pixels_HWC).save(picture, "PNG")
        np.savez_compressed(arrays, allow_pickle=False, **tiny_truth(i))
        files[f"examples/{i}.png"] = picture.getvalue()
        files[f"examples/{i}.npz"] = arrays.getvalue()
    return files


def publish_tiny_with_examples(root: Path, name: str = "tiny") -> Path:
    """Publishes the tiny model with two examples, and returns the folder of its version."""
    files, manifest = tiny_model_files(name)
    return ModelStore(root).publish(name, "1", files | example_files(), manifest)

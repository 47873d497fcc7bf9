"""Dense network outputs stretched back to the size of the input image.

Everything is bilinear with half-pixel centres and clamped borders, as ``align_corners=False``
elsewhere. Pillow does the arithmetic: in C, without the GIL, and in bounded memory.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_STRIP_PIXELS = 1 << 21


def resize(map_HW: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """One channel at another size."""
    if map_HW.shape == (height, width):
        return map_HW
    return np.asarray(_stretch(map_HW, height, width, 0, height))


def _stretch(
    map_HW: NDArray[np.float32], height: int, width: int, top: int, bottom: int
) -> NDArray[np.float32]:
    """Rows ``top`` to ``bottom`` of the map at ``height`` x ``width``."""
    scale = map_HW.shape[0] / height
    box = (0, top * scale, map_HW.shape[1], bottom * scale)
    image = Image.fromarray(np.ascontiguousarray(map_HW, dtype=np.float32))
    return np.asarray(image.resize((width, bottom - top), Image.Resampling.BILINEAR, box=box))


def class_map(logits_CHW: NDArray[np.float32], height: int, width: int) -> NDArray[np.uint16]:
    """The likeliest class of every pixel at the image's size, [height, width].

    Logits are interpolated first and compared afterwards (labels cannot be interpolated); strip
    by strip and class by class, so that C full-size maps are never held.
    """
    classes_HW = np.zeros((height, width), dtype=np.uint16)
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        bottom = min(height, top + rows)
        best = _stretch(logits_CHW[0], height, width, top, bottom)
        for index in range(1, len(logits_CHW)):
            here = _stretch(logits_CHW[index], height, width, top, bottom)
            classes_HW[top:bottom][here > best] = index
            best = np.maximum(best, here)
    return classes_HW


def unit_vectors(vectors_CHW: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """Vectors at the image's size, of unit length again, [height, width, 3]."""
    stretched_CHW = np.stack([resize(c, height, width) for c in vectors_CHW])
    lengths_HW = np.sqrt(np.einsum("chw,chw->hw", stretched_CHW, stretched_CHW))
    stretched_CHW /= np.maximum(lengths_HW, np.float32(1e-6))
    return stretched_CHW.transpose(1, 2, 0)

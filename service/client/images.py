"""Images in the forms that programs have them in, as files to send."""

import io
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

Image: TypeAlias = "str | PathLike[str] | bytes | PillowImage | NDArray[np.uint8]"
"""The path or the bytes of a JPEG, PNG or WebP; a Pillow image; RGB as uint8 [H, W, 3]."""


def encoded(image: Image) -> bytes:
    """The bytes of an image file; what is not one yet becomes a PNG, which loses nothing.

    Raises:
        OSError: the file cannot be read.
        ValueError: an array of another type or shape.
        TypeError: not an image in any of these forms.
    """
    if isinstance(image, bytes):
        return image
    if isinstance(image, str | PathLike):
        return Path(image).read_bytes()
    return _png(_pillow(image))


def _pillow(image: Any) -> "PillowImage":  # noqa: ANN401
    from PIL import Image as Pillow  # needed for arrays only

    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(
                f"expected an array of uint8 [height, width, 3], RGB; found {image.dtype} "
                f"{list(image.shape)}"
            )
        return Pillow.fromarray(image)
    if isinstance(image, Pillow.Image):
        return image
    raise TypeError(f"expected a path, bytes, a Pillow image or an array; found {type(image)}")


def _png(image: "PillowImage") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()

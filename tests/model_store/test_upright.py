import io
import struct

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from model_store.upright import upright


def sideways(*field: int) -> bytes:
    """EXIF of a picture stored on its side (orientation 6), with one more field.

    Args:
        field: its tag, type, number of values, and their bytes or where these are.
    """
    orientation = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)
    fields = sorted([orientation, struct.pack("<HHII", *field)])
    return b"Exif\0\0II*\0\x08\0\0\0\x02\0" + b"".join(fields) + bytes(4 + 8)


PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8))


def reopened(kind: str, **options: bytes | PngImagePlugin.PngInfo) -> Image.Image:
    buffer = io.BytesIO()
    PICTURE.save(buffer, kind, lossless=True, **options)
    return Image.open(buffer)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    "odd",
    [
        (0x010F, 5, 1, 38),  # the camera's make: a number, where a text should be
        (0x011A, 2, 1, 0),  # the resolution: a text, where a number should be
        (0x011A, 6, 1, 0xFF),  # a negative one
        (0x0100, 7, 1, 0),  # the width: bytes, where a number should be
    ],
)
def test_a_picture_is_turned_whatever_its_other_fields_hold(
    kind: str, odd: tuple[int, ...]
) -> None:
    found, swapped = upright(reopened(kind, exif=sideways(*odd)))
    assert swapped
    assert found.size == (48, 64)
    stored = np.asarray(reopened(kind))
    assert np.array_equal(np.asarray(found), np.rot90(stored, -1))


def test_an_orientation_that_cannot_be_read_is_none() -> None:
    nonsense = PngImagePlugin.PngInfo()
    nonsense.add_text("Raw profile type exif", "\nexif\n4\nno hexadecimal digits")
    text = sideways(0x0112, 2, 4, ord("6"))  # the same field again, and that one counts
    for image in (
        reopened("PNG", pnginfo=nonsense),
        reopened("PNG", exif=text),
        reopened("PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"),
        reopened("PNG"),
    ):
        found, swapped = upright(image)
        assert not swapped
        assert np.array_equal(np.asarray(found), np.asarray(PICTURE))


def test_pixels_that_cannot_be_decoded_are_no_matter_of_exif() -> None:
    buffer = io.BytesIO()
    PICTURE.save(buffer, "PNG")
    with pytest.raises(OSError, match="truncated"):
        upright(Image.open(io.BytesIO(buffer.getvalue()[:-1000])))

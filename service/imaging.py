"""Images in: bytes of a JPEG, PNG or WebP to the network's input.

The format is found from the content, never from a header or a name. Sizes are checked before a
pixel is decoded, against limits that are passed in (Pillow's own is a global).
"""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model_store.upright import upright
from service.errors import TooLargeError, UnprocessableError, UnsupportedMediaError

_FORMATS = ("JPEG", "PNG", "WEBP")
_JPEGS = ("JPEG", "MPO")  # MPO is a JPEG with others behind it
_TAKEN = "JPEG, PNG and WebP images are taken"
# The marker, and the first byte of its length, which is 14 at most. The marker alone would be found
# by chance in what is no picture, as the film that a telephone puts behind its photograph.
_SCAN = b"\xff\xda\x00"
# Progressive JPEGs have about ten (6 in grey, 18 in CMYK), thumbnails a few more. A scan can be as
# short as ten bytes, and takes as long as the picture is large. Chrome and Android end here, too.
_MOST_SCANS = 100
# Pillow reads every part of a file (segment, chunk) by itself, in Python; the shortest have four
# bytes. Encoders make parts of kilobytes, besides a few dozen small ones.
_READS = 1000
_BYTES_A_READ = 64
# The most of a JPEG. Few pixels in one row of millions take seconds to resize.
_MOST_PIXELS_A_SIDE = 65_535


@dataclass(frozen=True)
class Picture:
    """A decoded image, ready for the network."""

    input_NCHW: NDArray[np.float32]
    """[1, 3, H, W], RGB in [0, 1], at the network's input size."""
    height: int
    """Of the image as a person sees it, EXIF orientation applied."""
    width: int


class _Pieces(io.BytesIO):
    """A file that is read in about as many pieces as its size calls for."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._left = _READS + len(content) // _BYTES_A_READ

    def read(self, size: int | None = -1, /) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise UnprocessableError("the image is made of too many small parts: save it again")
        return super().read(size)


@dataclass(frozen=True)
class ImageLimits:
    """The most that an image may be."""

    bytes: int
    pixels: int


def decode(content: bytes, height: int, width: int, limits: ImageLimits) -> Picture:
    """An image file as the network's input: :func:`opened`, then :func:`prepared`."""
    return prepared(opened(content, limits), height, width, limits)


def opened(content: bytes, limits: ImageLimits) -> Image.Image:
    """An image whose header is read, and none of its pixels.

    Args:
        content: the file.
        limits: the most that is taken.

    Raises:
        UnsupportedMediaError: not an image, or of another format.
        TooLargeError: more bytes or pixels than allowed.
        UnprocessableError: there is nothing, or too many parts, or a JPEG of too many scans.
    """
    if not content:
        raise UnprocessableError(f"the image is empty; {_TAKEN}")
    if len(content) > limits.bytes:
        raise TooLargeError(
            f"the image has {len(content)} bytes, {limits.bytes} are allowed",
            max_image_bytes=limits.bytes,
        )
    try:
        image = Image.open(_Pieces(content), formats=_FORMATS)
    except UnprocessableError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels(limits) from error
    except Exception as error:  # Pillow's parsers raise whatever a hostile file leads to
        raise UnsupportedMediaError(f"not an image that can be read; {_TAKEN}") from error
    if image.width * image.height > limits.pixels:
        raise _too_many_pixels(limits, image)
    if max(image.size) > _MOST_PIXELS_A_SIDE:
        raise TooLargeError(
            f"the image is {image.width} x {image.height}; {_MOST_PIXELS_A_SIDE} pixels a side are "
            "allowed"
        )
    if image.format in _JPEGS and (found := scans(content)) > _MOST_SCANS:
        raise UnprocessableError(
            f"the JPEG has {found} scans, {_MOST_SCANS} are allowed: save it as one that is not "
            "progressive"
        )
    return image


def scans(content: bytes) -> int:
    """How often decoding a JPEG goes over its pixels, and those of its thumbnails.

    What is coded has a zero after each 0xff, so that no marker is found in it.
    """
    return content.count(_SCAN)


def prepared(image: Image.Image, height: int, width: int, limits: ImageLimits) -> Picture:
    """Decodes an image and brings it to the network's input size.

    EXIF orientation is applied; transparency is laid on white; 16-bit images are reduced to 8 bit;
    of an animation the first frame counts. The aspect ratio is not kept: the network sees the
    whole image, and outputs are stretched back to its size.

    Args:
        image: as :func:`opened` gives it; it is closed.
        height: of the network's input.
        width: of the network's input.
        limits: for the error.

    Raises:
        TooLargeError: there is not enough memory for it.
        UnprocessableError: an image that is damaged, or made of too many parts.
    """
    with image:
        try:
            return _prepare(image, height, width)
        except UnprocessableError:
            raise
        except MemoryError as error:
            raise _too_many_pixels(limits, image) from error
        except Exception as error:  # as when it is opened: a PNG has chunks behind its pixels too
            raise UnprocessableError(f"the image is damaged: {error}") from error


def _too_many_pixels(limits: ImageLimits, image: Image.Image | None = None) -> TooLargeError:
    size = f" ({image.width} x {image.height})" if image else ""
    return TooLargeError(
        f"the image has too many pixels{size}; {limits.pixels} are allowed: scale it down first",
        max_pixels=limits.pixels,
    )


def _prepare(image: Image.Image, height: int, width: int) -> Picture:
    seen = image.size
    if image.format == "JPEG":
        # The decoder scales by 1/2, 1/4 or 1/8 for free: twice the input size is plenty.
        side = 2 * max(height, width)
        image.draft(None, (side, side))
    turned, sideways = upright(image)
    if sideways:
        seen = seen[::-1]
    small = _on_white(_eight_bit(turned).resize((width, height), Image.Resampling.BILINEAR))
    # One pass over the pixels: transposed, converted and divided.
    input_CHW = np.divide(np.asarray(small).transpose(2, 0, 1), np.float32(255), order="C")
    return Picture(input_CHW[None], height=seen[1], width=seen[0])


def _eight_bit(image: Image.Image) -> Image.Image:
    """Any mode as RGB or RGBA."""
    if image.mode.startswith("I"):
        # 16-bit greyscale: Pillow's own conversion would clip instead of scaling.
        grey_HW = np.asarray(image)
        if grey_HW.itemsize > 2:
            grey_HW = grey_HW.clip(0, 65535)
        image = Image.fromarray((grey_HW >> 8).astype(np.uint8))
    transparent = image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info
    mode = "RGBA" if transparent else "RGB"
    return image if image.mode == mode else image.convert(mode)


def _on_white(image: Image.Image) -> Image.Image:
    """RGB, with what is transparent laid on white; resizing has weighted colours by opacity."""
    if image.mode == "RGB":
        return image
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")

"""Which way up a picture is: training and serving turn pictures alike."""

from PIL import Image

_ORIENTATION = 0x0112
# By EXIF orientation; 1 is upright.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = tuple(_TURNS[orientation] for orientation in (5, 6, 7, 8))


def upright(image: Image.Image) -> tuple[Image.Image, bool]:
    """An image as a person sees it, and whether its width and height changed places.

    Pillow's own ``exif_transpose`` writes all EXIF anew, and fails where a field that has nothing
    to do with it, as the camera's make, is of another type than it should be.

    Args:
        image: any; its pixels are decoded. An orientation that cannot be read is upright.

    Raises:
        Exception: whatever Pillow raises for pixels that cannot be decoded.
    """
    image.load()  # first: in a PNG, EXIF may stand behind the pixels
    try:
        turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # Pillow's parsers raise whatever an odd file leads to
        turn = None
    return (image, False) if turn is None else (image.transpose(turn), turn in _SIDEWAYS)

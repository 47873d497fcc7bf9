import io
import zlib

import numpy as np
import pytest
from PIL import Image

from service.errors import UnprocessableError
from service.imaging import ImageLimits, Picture, decode, scans
from tests.service.running import chunk, encoded, picture

LIMITS = ImageLimits(bytes=10 << 20, pixels=10_000_000)


def read(content: bytes, size: int = 32) -> Picture:
    return decode(content, size, size, LIMITS)


def colour(content: bytes) -> list[float]:
    """The colour of an image of one colour."""
    found = read(content, 8).input_NCHW[0].mean(axis=(1, 2))
    return [round(float(c), 2) for c in found]


def test_pixels_are_rgb_between_0_and_1_at_the_network_s_size() -> None:
    found = decode(encoded(Image.new("RGB", (30, 20), (255, 51, 0))), 8, 16, LIMITS)
    assert found.input_NCHW.shape == (1, 3, 8, 16)
    assert found.input_NCHW.dtype == np.float32
    assert (found.height, found.width) == (20, 30)
    assert np.allclose(found.input_NCHW[0, :, 3, 3], [1.0, 0.2, 0.0])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_formats(kind: str) -> None:
    content = encoded(Image.new("RGB", (40, 40), (255, 128, 0)), kind, quality=95)
    assert colour(content) == pytest.approx([1.0, 0.5, 0.0], abs=0.03)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.new("L", (9, 9), 128), [0.5, 0.5, 0.5]),
        (Image.new("1", (9, 9), 1), [1.0, 1.0, 1.0]),
        (Image.new("LA", (9, 9), (0, 0)), [1.0, 1.0, 1.0]),
        (Image.new("RGBA", (9, 9), (255, 0, 0, 0)), [1.0, 1.0, 1.0]),
        (Image.new("RGBA", (9, 9), (255, 0, 0, 255)), [1.0, 0.0, 0.0]),
        (Image.new("RGBA", (9, 9), (0, 0, 0, 128)), [0.5, 0.5, 0.5]),
        (Image.new("RGB", (9, 9), (0, 0, 255)).convert("P"), [0.0, 0.0, 1.0]),
        (Image.new("I;16", (9, 9), 65535), [1.0, 1.0, 1.0]),
        (Image.new("I;16", (9, 9), 32768), [0.5, 0.5, 0.5]),
    ],
    ids=lambda value: getattr(value, "mode", None),
)
def test_modes(image: Image.Image, expected: list[float]) -> None:
    assert colour(encoded(image)) == pytest.approx(expected, abs=0.01)


def test_cmyk() -> None:
    content = encoded(Image.new("CMYK", (9, 9), (0, 255, 255, 0)), "JPEG", quality=95)
    assert colour(content) == pytest.approx([1.0, 0.0, 0.0], abs=0.05)


def test_a_transparent_colour_of_a_palette() -> None:
    image = Image.new("P", (9, 9), 0)
    image.putpalette([255, 0, 0, 0, 255, 0])
    assert colour(encoded(image, transparency=0)) == [1.0, 1.0, 1.0]
    assert colour(encoded(image, transparency=1)) == [1.0, 0.0, 0.0]


def test_the_first_frame_of_an_animation_counts() -> None:
    frames = [Image.new("RGB", (9, 9), c) for c in ("red", "blue")]
    buffer = io.BytesIO()
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    assert colour(buffer.getvalue()) == [1.0, 0.0, 0.0]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_every_exif_orientation(orientation: int, kind: str) -> None:
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    upright = picture(64, 32)
    stored = upright.transpose(turns[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = read(encoded(stored, kind, exif=exif, quality=100, lossless=True))
    expected = read(encoded(upright))
    assert (found.height, found.width) == (32, 64)
    assert np.abs(found.input_NCHW - expected.input_NCHW).mean() < 0.03


def test_a_large_jpeg_keeps_its_size_though_it_is_decoded_smaller() -> None:
    found = read(encoded(picture(1600, 1200), "JPEG", quality=95))
    assert (found.height, found.width) == (1200, 1600)
    exact = read(encoded(picture(1600, 1200)))
    assert np.abs(found.input_NCHW - exact.input_NCHW).mean() < 0.03


def scanned(content: bytes, count: int) -> bytes:
    """A progressive JPEG with so many scans; those that are put in have no more than a header."""
    end = content.index(b"\xff\xd9")
    last = content.rindex(b"\xff\xda", 0, end)
    return content[:end] + (count - scans(content)) * content[last : last + 10] + content[end:]


def test_a_jpeg_has_about_ten_scans_and_may_have_a_hundred() -> None:
    assert scans(encoded(picture(), "JPEG")) == 1
    progressive = encoded(picture(), "JPEG", progressive=True)
    assert scans(progressive) == 10
    buffer = io.BytesIO()  # of the kind that cameras write with two lenses
    picture().save(buffer, "MPO", save_all=True, append_images=[picture(seed=1)], progressive=True)
    for content in (progressive, buffer.getvalue()):
        assert read(scanned(content, 100)).width == 50
        with pytest.raises(UnprocessableError, match="101 scans, 100 are allowed"):
            read(scanned(content, 101))


def test_what_is_no_scan_does_not_count() -> None:
    film = np.random.default_rng(0).bytes(8 << 20)
    assert film.count(b"\xff\xda") > 100
    for kind, more in (("JPEG", film), ("PNG", 101 * b"\xff\xda\x00")):
        content = encoded(picture(), kind)
        assert np.array_equal(read(content + more).input_NCHW, read(content).input_NCHW)


def test_parts_of_a_kilobyte_are_read_however_many_they_are() -> None:
    noise_HWC = np.random.default_rng(0).integers(0, 256, (500, 1500, 3), dtype=np.uint8)
    whole = encoded(Image.fromarray(noise_HWC))
    rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in noise_HWC), level=0)
    content = whole[: whole.index(b"IDAT") - 4]
    for start in range(0, len(rows), 1024):
        content += chunk(b"IDAT", rows[start : start + 1024])
    content += chunk(b"IEND", b"")
    assert np.array_equal(read(content).input_NCHW, read(whole).input_NCHW)


@pytest.mark.parametrize("part", [b"\xff\xe1\x00\x02", b"\xff"], ids=["marker", "filling"])
def test_a_jpeg_of_empty_parts_is_not_read_to_its_end(part: bytes) -> None:
    content = encoded(picture(), "JPEG")
    assert read(content[:2] + 20 * part + content[2:]).width == 50
    with pytest.raises(UnprocessableError, match="too many small parts"):
        read(content[:2] + 20_000 * part + content[2:])


@pytest.mark.parametrize("name", [b"IDAT", b"prVt"])
@pytest.mark.parametrize("behind", [b"IDAT", b"IEND"])
def test_a_png_of_empty_parts_is_not_read_to_its_end(name: bytes, behind: bytes) -> None:
    content = encoded(picture())
    at = content.index(behind) - 4
    assert read(content[:at] + 20 * chunk(name, b"") + content[at:]).width == 50
    with pytest.raises(UnprocessableError, match="too many small parts"):
        read(content[:at] + 20_000 * chunk(name, b"") + content[at:])


def test_global_limits_are_left_alone() -> None:
    before = Image.MAX_IMAGE_PIXELS
    read(encoded(picture()))
    assert before == Image.MAX_IMAGE_PIXELS

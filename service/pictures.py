"""Outputs as a picture that a person can look at."""

import colorsys

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.errors import NotAcceptableError
from service.outputs import Output, png, to_bytes

# Matplotlib's viridis at nine points; the map is linear between them.
_VIRIDIS = (
    (68, 1, 84),
    (71, 45, 123),
    (59, 82, 139),
    (44, 114, 142),
    (33, 144, 140),
    (39, 173, 129),
    (92, 200, 99),
    (170, 220, 50),
    (253, 231, 37),
)
_GOLDEN = 0.618033988749895


def draw(output: Output) -> bytes:
    """A PNG: palette colours, near depth bright, normals as RGB, probabilities as grey.

    Raises:
        NotAcceptableError: a classification has no picture.
    """
    match output.task.kind:
        case "classification":
            raise NotAcceptableError(
                f"task {output.task.name!r} is a classification and has no picture: "
                "ask for application/json or application/x-npz"
            )
        case "segmentation":
            colours = np.array(output.task.palette or palette(output.task.classes), dtype=np.uint8)
            pixels = colours[output.values]
        case "depth":
            pixels = _near_is_bright(output.values)
        case "normals":
            # The usual colours face the camera: x right, y up, z towards the viewer.
            pixels = to_bytes((output.values * np.array([1, -1, -1], np.float32) + 1) / 2)
        case _:
            pixels = to_bytes(output.values)
    return png(Image.fromarray(pixels))


def palette(classes: int) -> list[tuple[int, int, int]]:
    """As many distinct colours: hues a golden section apart, two levels of brightness."""
    found = []
    for index in range(classes):
        value = (0.95, 0.65)[index % 2]
        red, green, blue = colorsys.hsv_to_rgb(index * _GOLDEN % 1.0, 0.65, value)
        found.append((round(red * 255), round(green * 255), round(blue * 255)))
    return found


def _near_is_bright(metres_HW: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Inverse depth over the range of this image, through the colour map."""
    inverse = 1.0 / np.maximum(metres_HW, np.float32(1e-3))
    low, high = np.percentile(inverse, (1, 99))
    unit = ((inverse - low) / max(high - low, 1e-9)).clip(0, 1)
    points = np.linspace(0, 1, len(_VIRIDIS))
    table = np.stack(
        [np.interp(np.linspace(0, 1, 256), points, [c[i] for c in _VIRIDIS]) for i in range(3)],
        axis=-1,
    )
    coloured: NDArray[np.uint8] = table.round().astype(np.uint8)[to_bytes(unit)]
    return coloured

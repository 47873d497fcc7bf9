"""Reading images, maps and lists from files. Every error names the file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import scipy.io  # type: ignore[import-untyped]
from numpy.typing import NDArray
from PIL import Image

from model_store.upright import upright

Read = TypeVar("Read")


def _reading(path: Path, read: Callable[[Path], Read]) -> Read:
    """Calls a library's reader, each of which fails in ways of its own.

    Raises:
        ValueError: the file is missing, truncated or not of its format.
    """
    try:
        return read(path)
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist") from None
    except Exception as error:
        raise ValueError(f"{path} cannot be read: {error}") from error


def read_image(path: Path) -> Image.Image:
    """A decoded RGB image, upright as its EXIF orientation says (and as the service reads it).

    Raises:
        ValueError: the file is missing or truncated.
    """

    def read(path: Path) -> Image.Image:
        with Image.open(path) as image:
            turned, _ = upright(image)
            return turned.convert("RGB")

    return _reading(path, read)


def read_map(path: Path) -> NDArray[Any]:
    """A PNG's values as they are stored (palette indices, 8 or 16 bits), [H, W] or [H, W, C].

    Raises:
        ValueError: the file is missing or truncated.
    """

    def read(path: Path) -> NDArray[Any]:
        with Image.open(path) as image:
            return np.asarray(image)

    return _reading(path, read)


def read_array(path: Path) -> NDArray[Any]:
    """An array that numpy saved; never a pickle.

    Raises:
        ValueError: the file is missing or truncated, or holds Python objects.
    """
    return _reading(path, lambda path: np.asarray(np.load(path, allow_pickle=False)))


def read_mat(path: Path, variable: str) -> Any:  # noqa: ANN401 - whatever MATLAB saved
    """A variable of a MATLAB file; structs have their fields as attributes.

    Raises:
        ValueError: the file is missing or truncated, or lacks the variable.
    """

    def read(path: Path) -> dict[str, Any]:
        # By the open file: loadmat would try the name with ".mat" behind it, too.
        with path.open("rb") as file:
            content: dict[str, Any] = scipy.io.loadmat(
                file, squeeze_me=True, struct_as_record=False
            )
        return content

    content = _reading(path, read)
    if variable not in content:
        raise ValueError(f"{path} lacks the variable {variable!r}")
    return content[variable]


def read_lines(path: Path) -> list[str]:
    """The lines of a text file without surrounding space, empty ones left out.

    Raises:
        ValueError: the file is missing, no text, or empty.
    """
    text = _reading(path, lambda path: path.read_text(encoding="utf-8"))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise ValueError(f"{path} is empty")
    return lines


def names_in(folder: Path) -> frozenset[str]:
    """The names of a folder's files: one listing is cheaper than a look-up for each file.

    Raises:
        ValueError: there is no such folder.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder")
    return frozenset(path.name for path in folder.iterdir())


def one_of(folder: Path, stem: str, endings: tuple[str, ...], names: frozenset[str]) -> Path | None:
    """The file of this stem with the first of these endings that exists; None without any."""
    return next((folder / (stem + end) for end in endings if stem + end in names), None)


def required(found: Path | None, folder: Path, stem: str, endings: tuple[str, ...]) -> Path:
    """A file that must exist.

    Raises:
        ValueError: it does not; the error names it.
    """
    if found is None:
        raise ValueError(f"{folder / stem}{' or '.join(endings)} does not exist")
    return found


def plane(values: NDArray[Any], path: Path) -> NDArray[Any]:
    """Values that must be [H, W], or [H, W, 1] which is taken for it.

    Raises:
        ValueError: they are of another shape.
    """
    flat = values[..., 0] if values.ndim == 3 and values.shape[2] == 1 else values
    if flat.ndim != 2 or not flat.size:
        raise ValueError(f"{path}: one value for each pixel expected, found {list(values.shape)}")
    return flat


def depth_of(values: NDArray[Any], path: Path) -> NDArray[np.float32]:
    """Metres, 0 where there is none: what is not finite or not positive has none.

    Raises:
        ValueError: the shape is not [H, W].
    """
    depth_HW = plane(values, path).astype(np.float32)
    return np.where(np.isfinite(depth_HW) & (depth_HW > 0), depth_HW, np.float32(0))


def normals_of(values: NDArray[Any], path: Path) -> NDArray[np.float32]:
    """Unit normals, zero where there is none, from an array in [-1, 1] or a PNG of 2x/255-1.

    In eight bits the zero vector does not exist: what is far from unit length has no normal.

    Raises:
        ValueError: the shape is not [H, W, 3].
    """
    if values.ndim != 3 or values.shape[2] < 3 or not values.size:
        raise ValueError(f"{path}: three values for each pixel expected, found {values.shape}")
    coded = values.dtype == np.uint8
    vector_HWC: NDArray[np.float32] = values[..., :3].astype(np.float32)
    vector_HWC = vector_HWC * np.float32(2 / 255) - 1 if coded else np.nan_to_num(vector_HWC)
    length_HW1 = np.sqrt((vector_HWC**2).sum(axis=2, keepdims=True))
    shortest, longest = (0.5, 1.5) if coded else (1e-6, np.inf)
    valid_HW1 = (length_HW1 > shortest) & (length_HW1 < longest)
    unit_HWC = vector_HWC / np.where(valid_HW1, length_HW1, np.inf)
    return unit_HWC.astype(np.float32)

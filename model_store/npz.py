"""NumPy archives of arrays that bear the names of tasks."""

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def npz(arrays: Mapping[str, NDArray[Any]], compression: int = zipfile.ZIP_STORED) -> bytes:
    """The bytes of an npz file, as np.savez writes it.

    That takes names as keywords, and so none that is a parameter of its own.

    Args:
        arrays: name to array.
        compression: one of zipfile's methods.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
    return buffer.getvalue()

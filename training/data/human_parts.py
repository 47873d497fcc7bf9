"""Human parts from the annotations of PASCAL-Part (Chen et al. 2014)."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data.files import read_mat

PERSON = 15
"""The category of people."""

GROUPS = (
    ("hair", "head", "lear", "rear", "lebrow", "rebrow", "leye", "reye", "mouth", "nose"),
    ("neck", "torso"),
    ("luarm", "ruarm"),
    ("llarm", "lhand", "rlarm", "rhand"),
    ("luleg", "ruleg"),
    ("llleg", "lfoot", "rlleg", "rfoot"),
)
"""Parts of each class, the first of which is 1: head, torso, upper and lower arms and legs."""


def read_human_parts(path: Path) -> NDArray[np.int64] | None:
    """The part at each pixel, [H, W]: 0 for the background, 1 to 6; None if no part is seen.

    Raises:
        ValueError: the file is missing, truncated or not in this layout.
    """
    annotation = read_mat(path, "anno")
    classes = {part: number for number, group in enumerate(GROUPS, start=1) for part in group}
    try:
        label_HW: NDArray[np.int64] | None = None
        for item in _several(annotation.objects):
            if int(item.class_ind) != PERSON:
                continue
            for part in _several(item.parts):
                name, mask_HW = str(part.part_name), np.asarray(part.mask, dtype=bool)
                if name not in classes:
                    raise ValueError(f"{path}: {name!r} is no part of a person")
                if label_HW is None:
                    label_HW = np.zeros(mask_HW.shape, np.int64)
                label_HW[mask_HW] = classes[name]
    except (AttributeError, TypeError, IndexError) as error:
        raise ValueError(f"{path} is no annotation of PASCAL-Part: {error}") from error
    return label_HW if label_HW is not None and label_HW.any() else None


def _several(found: Any) -> list[Any]:  # noqa: ANN401 - one struct, or an array of them
    return list(np.atleast_1d(found).flat)

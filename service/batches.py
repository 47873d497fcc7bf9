"""Several inputs as one, and one output as several: nothing is mixed, nothing is split wrongly."""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Outputs: TypeAlias = Mapping[str, NDArray[np.float32]]
"""By task, the first dimension is the batch."""


def join(inputs_NCHW: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Inputs of one shape (but for the batch dimension) one after the other."""
    return inputs_NCHW[0] if len(inputs_NCHW) == 1 else np.concatenate(inputs_NCHW)


def split(outputs: Outputs, sizes: Sequence[int]) -> list[Outputs]:
    """The share of each input, in order.

    Args:
        outputs: of the joined inputs.
        sizes: batch size of each input.

    Raises:
        ValueError: an output does not have one row per input: it must not be dealt out.
    """
    if len(sizes) == 1:
        return [outputs]
    total = sum(sizes)
    for name, values in outputs.items():
        if not values.ndim or len(values) != total:
            raise ValueError(
                f"output {name!r} of {total} inputs has shape {values.shape}: expected {total} rows"
            )
    ends = accumulate(sizes)
    return [
        {name: values[end - size : end] for name, values in outputs.items()}
        for size, end in zip(sizes, ends, strict=True)
    ]

"""Thinning of binary maps to lines of one pixel."""

import numpy as np
from numpy.typing import NDArray

# The eight neighbours in turn, as rows and columns to shift by: E, NE, N, NW, W, SW, S, SE.
_AROUND = ((0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1))


def thinned(mask_HW: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Thins until nothing changes (Lam, Lee, Suen 1992, p. 879, after Guo and Hall 1989).

    Pixels are removed in two alternating passes, from opposite sides, where that disconnects
    nothing and shortens no line. What lies outside the map is background.
    """
    found = mask_HW.copy()
    while True:
        before = found.copy()
        for second in (False, True):
            found &= ~_removable(found, second)
        if np.array_equal(found, before):
            return found


def _removable(mask_HW: NDArray[np.bool_], second: bool) -> NDArray[np.bool_]:
    height, width = mask_HW.shape
    padded = np.pad(mask_HW, 1)
    x = [padded[1 + r : 1 + r + height, 1 + c : 1 + c + width] for r, c in _AROUND]
    following = [*x[1:], x[0]]
    after = [*x[2:], *x[:2]]
    # G1: one run of foreground around the pixel, counted at every second neighbour.
    runs = sum((~x[i] & (following[i] | after[i])).astype(np.int8) for i in (0, 2, 4, 6))
    # G2: two or three of the four pairs of neighbours hold foreground, whichever way paired.
    pairs = sum((x[i] | x[i + 1]).astype(np.int8) for i in (0, 2, 4, 6))
    shifted = sum((following[i] | after[i]).astype(np.int8) for i in (0, 2, 4, 6))
    fewest = np.minimum(pairs, shifted)
    # G3: on the side that this pass removes from.
    blocked = (x[5] | x[6] | ~x[3]) & x[4] if second else (x[1] | x[2] | ~x[7]) & x[0]
    removable: NDArray[np.bool_] = mask_HW & (runs == 1) & (fewest >= 2) & (fewest <= 3) & ~blocked
    return removable

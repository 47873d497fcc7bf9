"""Least squares with coefficients that are not negative, as times per operation are."""

import numpy as np
from numpy.typing import NDArray


def nonnegative(
    features_SF: NDArray[np.float64], targets_S: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The coefficients x >= 0, [F], that minimise ``|A x - b|``.

    The active-set method of Lawson and Hanson (Solving Least Squares Problems, 1974, Ch. 23): a
    coefficient enters where the gradient says that it helps most, and leaves where the solution
    without bounds would make it negative.

    Args:
        features_SF: A, a row per sample. Columns may be dependent or zero.
        targets_S: b.
    """
    scale_F = np.abs(features_SF).max(axis=0)
    scale_F[scale_F == 0.0] = 1.0
    scaled_SF = features_SF / scale_F
    found_F = np.zeros(features_SF.shape[1])
    active_F = np.zeros(len(found_F), dtype=bool)
    tolerance = 1e-10 * float(np.abs(scaled_SF.T @ targets_S).max(initial=0.0))
    for _ in range(3 * len(found_F)):
        gradient_F = scaled_SF.T @ (targets_S - scaled_SF @ found_F)
        gradient_F[active_F] = -np.inf
        entering = int(gradient_F.argmax())
        if gradient_F[entering] <= tolerance:
            break
        active_F[entering] = True
        while True:
            free_F = np.zeros_like(found_F)
            free_F[active_F] = np.linalg.lstsq(scaled_SF[:, active_F], targets_S)[0]
            leaving = active_F & (free_F <= 0.0)
            if not leaving.any():
                found_F = free_F
                break
            # As far towards the free solution as all coefficients stay above zero.
            candidates = np.flatnonzero(leaving)
            way = np.maximum(found_F[candidates] - free_F[candidates], 1e-300)
            steps = found_F[candidates] / way
            found_F += float(steps.min()) * (free_F - found_F)
            active_F[candidates[steps.argmin()]] = False
            active_F &= found_F > 0.0
            found_F[~active_F] = 0.0
    return np.asarray(found_F / scale_F)

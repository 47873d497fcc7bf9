"""Gaussian processes: what a few hundred measured sub-networks say of all the others.

A network that learns from a few hundred samples directly (ECMT has 2000) must find out
from them what is known beforehand: that quality changes smoothly with widths, and that a task does
not see the other tasks' decoders. A Gaussian process is told. The accuracy predictor then learns
from its answers for many sub-networks, of which none has to be measured.
"""

import warnings
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning  # type: ignore[import-untyped]
from sklearn.gaussian_process import GaussianProcessRegressor  # type: ignore[import-untyped]
from sklearn.gaussian_process.kernels import (  # type: ignore[import-untyped]
    RBF,
    ConstantKernel,
    DotProduct,
    WhiteKernel,
)

from model_store.subnet.space import SearchSpace

ENOUGH = 500
"""Samples that tell the shares of plane, deviations and noise: a trial costs their third power."""


def imagined(space: SearchSpace, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Width ratios [P, G] of sub-networks of every cost and of every unevenness.

    Each draws a level u ~ U(0, 1) as :func:`training.samples.sampled` does, and how far its groups
    keep to it: from all near u to each anywhere.
    """
    level_P1, apart_P1 = rng.random((2, count, 1))
    own_PG = rng.random((count, len(space.groups)))
    choices_PG = rng.binomial(space.choices_G - 1, (1 - apart_P1) * level_P1 + apart_P1 * own_PG)
    return space.ratios_of(space.channels_of(choices_PG))


def answered(
    space: SearchSpace,
    tasks: Sequence[str],
    x_MG: NDArray[np.float64],
    y_MQ: NDArray[np.float64],
    x_PG: NDArray[np.float64],
    on_fit: Callable[[int, int], None] = lambda _, __: None,
) -> NDArray[np.float64]:
    """Posterior means, each quantity of its own process: a plane, smooth deviations, noise.

    Their shares are those that make the samples likeliest, or the first :data:`ENOUGH` of them.

    Args:
        space: the search space.
        tasks: the N tasks; quantity q is of task q mod N.
        x_MG: standardised width ratios of the M samples.
        y_MQ: their standardised quantities.
        x_PG: standardised width ratios of the sub-networks that are asked for.
        on_fit: called with the number of quantities so far and their count.

    Returns:
        Standardised quantities, shape [P, Q].
    """
    columns = []
    count = y_MQ.shape[1]
    for q in range(count):
        seen = [*space.encoder, space.decoders[tasks[q % len(tasks)]]]
        shares = GaussianProcessRegressor(_kernel())
        with warnings.catch_warnings():
            # That a bound is reached is an answer too: no noise, or nothing but a plane.
            warnings.simplefilter("ignore", ConvergenceWarning)
            shares.fit(x_MG[:ENOUGH, seen], y_MQ[:ENOUGH, q])
        process = GaussianProcessRegressor(shares.kernel_, optimizer=None)
        process.fit(x_MG[:, seen], y_MQ[:, q])
        columns.append(process.predict(x_PG[:, seen]))
        on_fit(q + 1, count)
    return np.stack(columns, axis=1)


def _kernel() -> object:
    plane = ConstantKernel(0.03, (1e-5, 1e2)) * DotProduct(sigma_0=1.0, sigma_0_bounds="fixed")
    smooth = ConstantKernel(0.3, (1e-4, 1e3)) * RBF(3.0, (0.5, 1e3))
    return plane + smooth + WhiteKernel(0.05, (1e-5, 2.0))

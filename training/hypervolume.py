"""Hypervolume: how well a model follows preferences, in one number (ECMT Sec. 5).

The volume of loss space that a set of sub-networks dominates, up to a reference point; it grows
with their quality and with their diversity. Zitzler and Thiele 1999.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from model_store.published import PublishedModel
from model_store.request import SubnetRequest
from model_store.subnetwork import choose
from training.data.source import Source
from training.evaluate import calibrated, evaluate
from training.supernet import SuperNet

PREFERENCES = 20
"""Preferences that the hypervolume is taken over (ECMT Sec. 5)."""


FEW = 5
"""The most tasks that count as few: those of PASCAL-Context, where CIFAR-100 has 20."""


@dataclass(frozen=True)
class Hypervolume:
    """A hypervolume, with what it depends on."""

    value: float
    reference: float
    """Every coordinate of the reference point."""
    budget_gmacs: float
    preferences: int


def hypervolume(losses_PN: NDArray[np.float64], reference: float) -> float:
    """The volume between some points and the reference point, lower losses being better.

    By inclusion and exclusion over all subsets, which is exact to rounding in any number of
    dimensions but takes 2^P steps: libraries are fast up to 5 tasks and take a minute for 20.

    Args:
        losses_PN: P points of N losses; P at most 24.
        reference: every coordinate of the reference point. Points beyond it in any loss dominate
            nothing.
    """
    points_PN = losses_PN[np.all(losses_PN < reference, axis=1)]
    if len(points_PN) > 24:
        raise ValueError(f"at most 24 points expected, found {len(points_PN)}")
    return _exact(tuple(map(tuple, points_PN.T.tolist())), len(points_PN), reference)


# A report asks for the same one many times.
@lru_cache(maxsize=64)
def _exact(columns: tuple[tuple[float, ...], ...], points: int, reference: float) -> float:
    volume = np.ones(1 << points)
    for column_P in columns:
        worst = np.array([-np.inf])
        for value in column_P:
            worst = np.concatenate([worst, np.maximum(worst, value)])
        worst[0] = reference  # the empty subset, of no volume
        volume *= reference - worst
    sign = np.array([-1.0])
    for _ in range(points):
        sign = np.concatenate([sign, -sign])
    return math.fsum(sign * volume)


def loss_reference(tasks: int) -> float:
    """Every coordinate of the published reference point in loss space.

    ECMT Tables 1 to 3, after CDMA: 4 for the 3 tasks of NYUD-v2, 3 for the 5 of PASCAL-Context, 1
    for the 20 of CIFAR-100. Fewer tasks than 3 have that of 3, from 4 to 5 that of 5, and more
    that of 20.
    """
    return 4.0 if tasks <= 3 else 3.0 if tasks <= FEW else 1.0


def drawn_preferences(tasks: Sequence[str], count: int, seed: int) -> list[dict[str, float]]:
    """Random preferences on the simplex (ECMT Sec. 5, after CDMA).

    Dirichlet with every α = 0.2 for few tasks (NYUD-v2, PASCAL-Context), and 1 for many
    (CIFAR-100).
    """
    rng = np.random.default_rng(seed)
    alpha = np.full(len(tasks), 0.2 if len(tasks) <= FEW else 1.0)
    drawn_PN = [rng.dirichlet(alpha).tolist() for _ in range(count)]
    return [dict(zip(tasks, shares, strict=True)) for shares in drawn_PN]


def measure_hypervolume(
    model: PublishedModel,
    network: SuperNet,
    test: Source,
    seed: int,
    on_preference: Callable[[int, int], None] = lambda _, __: None,
) -> Hypervolume:
    """Measures the sub-networks of 20 random preferences at the middle of the budget range.

    Preferences and reference point are the paper's (:func:`drawn_preferences`,
    :func:`loss_reference`).
    """
    reference = loss_reference(len(model.space.tasks))
    least = model.cost.of(model.space.smallest()) / 1e9
    budget = (least + model.cost.of(model.space.largest()) / 1e9) / 2
    pixels = torch.from_numpy(model.calibration_NHWC.copy())
    images_NCHW = pixels.permute(0, 3, 1, 2).float() / 255
    losses: list[list[float]] = []
    for done, preference in enumerate(drawn_preferences(model.space.tasks, PREFERENCES, seed)):
        choice = choose(model, SubnetRequest.of(model, budget, preference))
        quality = evaluate(calibrated(network, choice.architecture, images_NCHW), test)
        losses.append([quality.losses[t] for t in model.space.tasks])
        on_preference(done + 1, PREFERENCES)
    return Hypervolume(hypervolume(np.array(losses), reference), reference, budget, PREFERENCES)

"""Hypervolume over the sampled preferences, of losses and of errors (ECMT Sec. 5, Tables 1 to 3).

Losses have the paper's reference points. They depend on units and loss weights, and the paper's
numbers for CIFAR-100 look like error rates; so the metrics' errors are reported beside them, whose
reference point is 1 for every task (:meth:`training.evaluation.judged.Judged.error`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model_store.subnet.search import Algorithm
from training.evaluate import Quality
from training.evaluation.answers import ALGORITHMS
from training.evaluation.judged import Judged
from training.evaluation.results import RunResults
from training.hypervolume import hypervolume, loss_reference

ERROR_REFERENCE = 1.0


@dataclass(frozen=True)
class Volume:
    """What a set of networks dominates."""

    losses: float
    errors: float
    beyond: int
    """Networks with a loss beyond the reference point, which dominate nothing."""


@dataclass(frozen=True)
class BudgetVolume:
    """The hypervolume of an algorithm's answers at one budget."""

    algorithm: Algorithm
    share: float
    gmacs: float
    """Mean cost of the answers."""
    volume: Volume


def volume_of(tasks: Sequence[Judged], qualities: Sequence[Quality]) -> Volume:
    """The hypervolume of some networks."""
    losses_PN = np.array([[q.losses[t.name] for t in tasks] for q in qualities])
    errors_PN = np.array([[t.error(q.metrics[t.name]) for t in tasks] for q in qualities])
    reference = loss_reference(len(tasks))
    return Volume(
        losses=hypervolume(losses_PN, reference),
        errors=hypervolume(errors_PN, ERROR_REFERENCE),
        beyond=int(np.any(losses_PN >= reference, axis=1).sum()),
    )


def volumes(results: RunResults) -> list[BudgetVolume]:
    """Of each algorithm at each budget: measured, or of a published model predicted."""
    shares = dict.fromkeys(a.share for a in results.answers.answers)
    found: list[BudgetVolume] = []
    for algorithm in ALGORITHMS:
        for share in shares:
            answers = results.answers.of(algorithm, share)
            volume = volume_of(results.tasks, [a.measured or a.predicted for a in answers])
            gmacs = float(np.mean([a.gmacs for a in answers]))
            found.append(BudgetVolume(algorithm, share, gmacs, volume))
    return found


def static_volume(results: RunResults) -> Volume | None:
    """MTL-Static's: it has one network for every preference, so one point."""
    largest = results.baselines.static.largest if results.baselines else None
    return volume_of(results.tasks, [largest.quality]) if largest else None

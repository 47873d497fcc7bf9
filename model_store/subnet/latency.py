"""A latency model: time as a sum over layers of what they compute and what they move.

A layer takes time for its multiply-accumulates, for the channels that it reads and writes at each
position, and a fixed time of its own. Layers of one class (kernel area, depthwise or not, number of
positions) share their rates; rates are not negative. Channel counts are rounded up to the blocks
that vector instructions work on, which is why time is a staircase in them. So the
model has a dozen numbers that can be read, and is a :class:`CostModel` that can be searched.
Dimensions: S samples, F features.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_store.subnet.cost import CostModel, CostTerm, Unit
from model_store.subnet.least_squares import nonnegative
from model_store.subnet.space import Architecture, SearchSpace

BLOCKS = (1, 4, 8, 16, 32)
"""Channel blocks that are tried: lanes of vector instructions."""

_TICKS = 2.0**48
"""Ticks in the time of the largest sub-network: below 2^53, where sums are exact, and fine enough
for the rate of one multiply-accumulate."""

FIXED = "fixed"
LAYER = "layer"


@dataclass(frozen=True)
class Sample:
    """A sub-network and how long it took."""

    architecture: Architecture
    tasks: tuple[str, ...]
    milliseconds: float


@dataclass(frozen=True)
class LatencyModel:
    """The time of sub-networks of one model on one machine."""

    block: int
    rates: Mapping[str, float]
    """Milliseconds for each unit of a feature, see :func:`parts`. Features without a rate take no
    time."""

    def cost_model(
        self, space: SearchSpace, terms: Sequence[CostTerm], tasks: Collection[str]
    ) -> CostModel:
        """The cost in ticks of sub-networks with these tasks, whose unit is the millisecond.

        Args:
            space: the search space.
            terms: the multiply-accumulates of its layers, all tasks included.
            tasks: the kept tasks.
        """
        kept = [t for t in terms if t.task is None or t.task in tasks]
        priced = [(self.rates.get(name, 0.0), part) for name, part in parts(kept)]
        full = np.array([space.largest().channels], dtype=np.int64)
        total = sum(rate * _quantity(space, part, self.block, full)[0] for rate, part in priced)
        scale = _TICKS / total if total > 0.0 else 1.0
        ticks = [
            CostTerm(round(rate * scale * p.positions), 1, p.inputs, p.outputs)
            for rate, p in priced
            if rate > 0.0
        ]
        return CostModel(space, ticks, Unit("latency_ms", "ms", scale), self.block)


def parts(terms: Sequence[CostTerm]) -> list[tuple[str, CostTerm]]:
    """The features of a network, each a sum of such terms: its name, and one term of it.

    ``mac KIND``, ``in KIND`` and ``out KIND`` for the layers of a kind (such as ``3x3 @4096`` for
    a kernel of area 9 at 4096 positions), ``layer`` for each layer, and ``fixed``.
    """
    found = [(FIXED, CostTerm(1, 1, (1,), (1,)))]
    for term in terms:
        depthwise = term.inputs == (1,)
        kind = f"{'depthwise ' if depthwise else ''}{term.kernel} @{term.positions}"
        weight = term.positions * term.kernel
        found.append((f"mac {kind}", CostTerm(weight, 1, term.inputs, term.outputs)))
        found.append((f"out {kind}", CostTerm(term.positions, 1, (1,), term.outputs)))
        if not depthwise:
            found.append((f"in {kind}", CostTerm(term.positions, 1, term.inputs, (1,))))
        found.append((LAYER, CostTerm(1, 1, (1,), (1,))))
    return found


def fit(space: SearchSpace, terms: Sequence[CostTerm], samples: Sequence[Sample]) -> LatencyModel:
    """The model with the smallest relative errors, by nonnegative least squares.

    The block is the one with the smallest error in cross-validation.

    Raises:
        ValueError: there are fewer than 8 samples.
    """
    if len(samples) < 8:
        raise ValueError(f"at least 8 measured sub-networks are needed, found {len(samples)}")
    ms_S = np.array([s.milliseconds for s in samples])
    best: tuple[float, int] = (np.inf, 1)
    for block in BLOCKS:
        _, features_SF = _features(space, terms, samples, block)
        error = float(np.quantile(_held_out_errors(features_SF, ms_S), 0.9))
        best = min(best, (error, block))
    names, features_SF = _features(space, terms, samples, best[1])
    rates_F = _relative_fit(features_SF, ms_S)
    rates = {n: float(r) for n, r in zip(names, rates_F, strict=True) if r > 0.0}
    return LatencyModel(best[1], rates)


def errors(
    model: LatencyModel, space: SearchSpace, terms: Sequence[CostTerm], samples: Sequence[Sample]
) -> NDArray[np.float64]:
    """Predicted over measured, minus 1, of each sample, [S]."""
    predicted = []
    for s in samples:
        cost = model.cost_model(space, terms, s.tasks)
        predicted.append(cost.of(s.architecture) / cost.unit.scale / s.milliseconds)
    return np.array(predicted) - 1.0


def _relative_fit(
    features_SF: NDArray[np.float64], ms_S: NDArray[np.float64]
) -> NDArray[np.float64]:
    return nonnegative(features_SF / ms_S[:, None], np.ones_like(ms_S))


def _held_out_errors(
    features_SF: NDArray[np.float64], ms_S: NDArray[np.float64], folds: int = 4
) -> NDArray[np.float64]:
    fold_S = np.arange(len(ms_S)) % folds
    found = []
    for fold in range(folds):
        test = fold_S == fold
        rates_F = _relative_fit(features_SF[~test], ms_S[~test])
        found.append(np.abs(features_SF[test] @ rates_F / ms_S[test] - 1.0))
    return np.concatenate(found)


def _features(
    space: SearchSpace, terms: Sequence[CostTerm], samples: Sequence[Sample], block: int
) -> tuple[list[str], NDArray[np.float64]]:
    named = parts(terms)
    tasks = [None, *(t.task for t in terms for _ in parts([t])[1:])]
    names = list(dict.fromkeys(name for name, _ in named))
    column = {name: i for i, name in enumerate(names)}
    channels_SG = np.array([s.architecture.channels for s in samples], dtype=np.int64)
    features_SF = np.zeros((len(samples), len(names)))
    for (name, part), task in zip(named, tasks, strict=True):
        kept_S = np.array([task is None or task in s.tasks for s in samples])
        features_SF[:, column[name]] += kept_S * _quantity(space, part, block, channels_SG)
    return names, features_SF


def _quantity(
    space: SearchSpace, part: CostTerm, block: int, channels_SG: NDArray[np.int64]
) -> NDArray[np.int64]:
    return CostModel(space, [part], block=block).counts(channels_SG)

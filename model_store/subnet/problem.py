"""One search: what may be changed, what it may cost, and how good it is.

The algorithms work on *choices*: one choice index per group. Dimensions: P candidates, G groups,
N tasks, D kept decoders, S steps of the decoders' path.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from model_store.subnet.cost import CostModel, Unit
from model_store.subnet.predictor import DECIMALS
from model_store.subnet.preference import Preference
from model_store.subnet.space import SearchSpace

Score = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Width ratios [P, G] to standardised task losses [P, N] (lower is better), in task order."""

Choices = NDArray[np.int64]
"""Choice indices, [G] or [P, G]."""

_ROWS = 64
"""Candidates costed at once: products this small stay on one BLAS thread, as in the predictor."""


class InfeasibleBudget(ValueError):
    """No sub-network with the kept tasks fits the budget.

    Attributes:
        least: cost of the smallest sub-network with these tasks, in the cost model's counts.
        most: cost of the largest.
        unit: what budgets of that cost model are said in.
    """

    def __init__(self, budget: int, least: int, most: int, unit: Unit) -> None:
        super().__init__(
            f"a budget of {budget / unit.scale:.6g} {unit.label} is below the smallest "
            f"sub-network; with these tasks budgets lie between {least / unit.scale:.6g} "
            f"and {most / unit.scale:.6g} {unit.label}"
        )
        self.least = least
        self.most = most
        self.unit = unit


@dataclass(frozen=True, eq=False)
class Problem:
    """A search space under a budget and a preference.

    Raises:
        InfeasibleBudget: the smallest sub-network with the kept tasks exceeds the budget. No
            preference makes a budget infeasible: decoders shrink first (:attr:`path_SG`).
    """

    cost: CostModel
    """The cost of the encoder and the kept decoders, without the dropped ones."""
    losses: Score
    budget: int
    """In the cost model's counts; no candidate exceeds it."""
    preference: Preference

    def __post_init__(self) -> None:
        least, most = self.counts(np.stack([np.zeros_like(self.top_G), self.top_G])).tolist()
        if least > self.budget:
            raise InfeasibleBudget(self.budget, least, most, self.cost.unit)

    @property
    def space(self) -> SearchSpace:
        """The search space."""
        return self.cost.space

    @cached_property
    def decoders(self) -> NDArray[np.int64]:
        """Positions of the kept decoders, in the order of ``preference.tasks``."""
        return np.array([self.space.decoders[t] for t in self.preference.tasks], dtype=np.int64)

    @cached_property
    def top_G(self) -> Choices:
        """The widest choice of each group; a dropped decoder stands at its smallest, 0."""
        top_G = np.zeros_like(self.space.choices_G)
        kept = np.concatenate([self.space.encoder, self.decoders])
        top_G[kept] = self.space.choices_G[kept] - 1
        return top_G

    @cached_property
    def path_SG(self) -> Choices:
        """The decoders that a sub-network may have, widest first, beside the smallest encoder.

        The path starts with ECMT Eq. 4 and ends with all decoders at their smallest. On the way
        they shrink one choice at a time: the least preferred task's first, down to its smallest
        width, and tasks of equal preference together. Eq. 4 looks at the preference
        alone, so its decoders may not fit the budget even beside the smallest encoder; the path
        leaves out what does not, and its first row is where both searches start.
        """
        # Lists, since the steps are many and short, and an array for each takes longer.
        step = [0] * len(self.top_G)
        for task, choice in self.preference.decoder_choices().items():
            step[self.space.decoders[task]] = choice
        path = [step.copy()]
        for level in self.preference.levels():
            groups = [self.space.decoders[t] for t in level]
            while any(step[g] for g in groups):
                for g in groups:
                    step[g] = max(step[g] - 1, 0)
                path.append(step.copy())
        path_SG = np.array(path, dtype=np.int64)
        return path_SG[self.fits(path_SG).argmax() :]

    @property
    def start_G(self) -> Choices:
        """The smallest encoder with the widest decoders of the path."""
        start_G: Choices = self.path_SG[0]
        return start_G

    def with_decoders(self, choices_PG: Choices) -> Choices:
        """The same encoders, each with the widest decoders of the path that fit beside it.

        An encoder beside which none fit gets the smallest.
        """
        path_SD, decoders = self.path_SG[:, self.decoders], self.decoders
        found_PG = choices_PG.copy()
        found_PG[:, decoders] = path_SD[0]
        over = np.flatnonzero(~self.fits(found_PG))
        over_PG = found_PG[over]
        # The cost never rises along the path, so bisection finds the first step that fits.
        last = len(path_SD) - 1
        too_few_P = np.zeros(len(over), dtype=np.int64)
        enough_P = np.full(len(over), last)
        for _ in range(last.bit_length() if over.size else 0):
            middle_P = (too_few_P + enough_P) // 2
            over_PG[:, decoders] = path_SD[middle_P]
            fits_P = self.fits(over_PG)
            enough_P = np.where(fits_P, middle_P, enough_P)
            too_few_P = np.where(fits_P, too_few_P, middle_P)
        over_PG[:, decoders] = path_SD[enough_P]
        found_PG[over] = over_PG
        return found_PG

    def counts(self, choices_PG: Choices) -> NDArray[np.int64]:
        """The cost of candidates with the kept tasks, [P]. It never falls as a choice rises."""
        channels_PG = self.space.channels_of(choices_PG)
        if len(channels_PG) <= _ROWS:
            return self.cost.counts(channels_PG)
        blocks = [channels_PG[i : i + _ROWS] for i in range(0, len(channels_PG), _ROWS)]
        return np.concatenate([self.cost.counts(block) for block in blocks])

    def fits(self, choices_PG: Choices) -> NDArray[np.bool_]:
        """Which candidates are within the budget, [P]."""
        return self.counts(choices_PG) <= self.budget

    def losses_of(self, choices_PG: Choices) -> NDArray[np.float64]:
        """Standardised losses of every task, [P, N]."""
        return self.losses(self.space.ratios_of(self.space.channels_of(choices_PG)))

    def score(self, choices_PG: Choices) -> NDArray[np.float64]:
        """Minus the losses' mean, weighted by preference, [P]; higher is better."""
        return -weighted(self.losses_of(choices_PG), self._weights_N)

    @cached_property
    def _weights_N(self) -> NDArray[np.float64]:
        return self.preference.weights_N()


def weighted(losses_PN: NDArray[np.float64], weights_N: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted sums of losses, [P], to the digits that count (:data:`DECIMALS`)."""
    sums_P: NDArray[np.float64] = np.round((losses_PN * weights_N).sum(axis=1), DECIMALS)
    return sums_P

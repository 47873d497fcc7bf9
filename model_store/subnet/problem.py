"""One search: what may be changed, what it may cost, and how good it is.

The algorithms work on *choices*: one choice index per group. Dimensions: P candidates, G groups,
N tasks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from model_store.subnet.cost import CostModel
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
        min_macs: MACs of the smallest sub-network with these tasks.
        max_macs: MACs of the largest.
    """

    def __init__(self, budget_macs: int, min_macs: int, max_macs: int) -> None:
        super().__init__(
            f"a budget of {budget_macs / 1e9:.6g} GMACs is below the smallest sub-network; "
            f"with these tasks budgets lie between {min_macs / 1e9:.6g} "
            f"and {max_macs / 1e9:.6g} GMACs"
        )
        self.min_macs = min_macs
        self.max_macs = max_macs


@dataclass(frozen=True, eq=False)
class Problem:
    """A search space under a budget and a preference.

    Raises:
        InfeasibleBudget: the smallest sub-network with the kept tasks exceeds the budget. No
            preference makes a budget infeasible: decoders shrink first (:attr:`start_G`).
    """

    cost: CostModel
    """The cost of the encoder and the kept decoders, without the dropped ones."""
    losses: Score
    budget: int
    """In MACs; no candidate exceeds it."""
    preference: Preference

    def __post_init__(self) -> None:
        least, most = self.macs(np.stack([np.zeros_like(self.top_G), self.top_G])).tolist()
        if least > self.budget:
            raise InfeasibleBudget(self.budget, least, most)

    @property
    def space(self) -> SearchSpace:
        """The search space."""
        return self.cost.space

    @cached_property
    def decoders(self) -> NDArray[np.int64]:
        """Positions of the kept decoders, in the order of ``preference.tasks``."""
        return np.array([self.space.decoders[t] for t in self.preference.tasks], dtype=np.int64)

    @cached_property
    def free(self) -> NDArray[np.int64]:
        """Positions of the groups that a search may change: the encoder's and kept decoders."""
        return np.concatenate([self.space.encoder, self.decoders])

    @cached_property
    def top_G(self) -> Choices:
        """The widest choice of each group; a dropped decoder stands at its smallest, 0."""
        top_G = np.zeros_like(self.space.choices_G)
        top_G[self.free] = self.space.choices_G[self.free] - 1
        return top_G

    @cached_property
    def start_G(self) -> Choices:
        """The decoders of ECMT Eq. 4, and the encoder at its smallest.

        Eq. 4 looks at the preference alone, so its decoders may not fit even with the smallest
        encoder. They then shrink step by step until they do: the least preferred task's first,
        down to its smallest width, and tasks of equal preference together (design Sec. 5).
        """
        start_G = np.zeros_like(self.top_G)
        for task, choice in self.preference.decoder_choices().items():
            start_G[self.space.decoders[task]] = choice
        for level in self.preference.levels():
            groups = [self.space.decoders[t] for t in level]
            while start_G[groups].any():
                if self.fits(start_G[None])[0]:
                    return start_G
                start_G[groups] = np.maximum(start_G[groups] - 1, 0)
        return start_G

    @cached_property
    def _readers(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        groups, index = self.space.groups, self.space.index
        pairs = [(i, index[groups[i].within or ""]) for i in self.free if groups[i].within]
        reader_read = np.array(pairs, dtype=np.int64).reshape(-1, 2)
        return reader_read[:, 0], reader_read[:, 1]

    def follow(self, choices_PG: Choices) -> Choices:
        """The same sub-networks, written so that a group that reads all of another follows it.

        A group that reads a prefix of another (``Group.within``) is clipped to it. Where it reads
        everything there is, it takes its widest choice here, so that it grows when that does.
        """
        reader, read = self._readers
        if not reader.size:
            return choices_PG
        channels_PG = self.space.channels_of(choices_PG)
        reads_all = channels_PG[:, reader] == channels_PG[:, read]
        following_PG = choices_PG.copy()
        following_PG[:, reader] = np.where(reads_all, self.top_G[reader], choices_PG[:, reader])
        return following_PG

    def macs(self, choices_PG: Choices) -> NDArray[np.int64]:
        """The cost of candidates with the kept tasks, [P]. It never falls as a choice rises."""
        return self._macs_of(self.space.channels_of(choices_PG))

    def _macs_of(self, channels_PG: NDArray[np.int64]) -> NDArray[np.int64]:
        if len(channels_PG) <= _ROWS:
            return self.cost.macs(channels_PG)
        blocks = [channels_PG[i : i + _ROWS] for i in range(0, len(channels_PG), _ROWS)]
        return np.concatenate([self.cost.macs(block) for block in blocks])

    def fits(self, choices_PG: Choices) -> NDArray[np.bool_]:
        """Which candidates are within the budget, [P]."""
        return self.macs(choices_PG) <= self.budget

    def losses_of(self, choices_PG: Choices) -> NDArray[np.float64]:
        """Standardised losses of every task, [P, N]."""
        return self.losses(self.space.ratios_of(self.space.channels_of(choices_PG)))

    def score(self, choices_PG: Choices) -> NDArray[np.float64]:
        """Minus the losses' mean, weighted by preference, [P]; higher is better."""
        return self._score_of(self.space.channels_of(choices_PG))

    def score_and_macs(self, choices_PG: Choices) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Both, [P] and [P], for less than one after the other."""
        channels_PG = self.space.channels_of(choices_PG)
        return self._score_of(channels_PG), self._macs_of(channels_PG)

    @cached_property
    def _weights_N(self) -> NDArray[np.float64]:
        return self.preference.weights_N()

    def _score_of(self, channels_PG: NDArray[np.int64]) -> NDArray[np.float64]:
        losses_PN = self.losses(self.space.ratios_of(channels_PG))
        scores_P: NDArray[np.float64] = -(losses_PN @ self._weights_N)
        return scores_P

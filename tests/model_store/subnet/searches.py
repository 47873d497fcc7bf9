"""Search spaces small enough to enumerate, and the truth about them by brute force."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from model_store.subnet.cost import CostModel, CostTerm
from model_store.subnet.evolution import evolve
from model_store.subnet.preference import Preference
from model_store.subnet.problem import Choices, Problem
from model_store.subnet.search import Algorithm, Score, SearchResult, search
from model_store.subnet.space import Group, SearchSpace

RATIOS = (0.25, 0.5, 0.75, 1.0)

SPACE = SearchSpace(
    (
        Group.of("stem", 32, RATIOS, 8),
        Group.of("stage", 64, RATIOS, 8),
        Group.of("last", 48, (0.5, 0.75, 1.0), 8),
        Group.of("decoder.animals", 48, (0.5, 0.75, 1.0), 8, task="animals", within="last"),
        Group.of("decoder.depth", 64, RATIOS, 8, task="depth"),
        Group.of("decoder.edges", 32, (0.5, 1.0), 8, task="edges"),
    )
)
"""4 * 4 * 3 = 48 encoders; one of the decoders is a linear head that reads a prefix."""

COST = CostModel(
    SPACE,
    [
        CostTerm(256, 9, (3,), ("stem",)),
        CostTerm(64, 9, ("stem",), ("stage",)),
        CostTerm(64, 9, ("stage",), ("last",)),
        CostTerm(1, 1, ("decoder.animals",), (5,), "animals"),
        CostTerm(64, 9, ("last",), ("decoder.depth",), "depth"),
        CostTerm(64, 1, ("decoder.depth",), (1,), "depth"),
        CostTerm(64, 9, ("last",), ("decoder.edges",), "edges"),
    ],
)


def wider_is_better(ratios_PG: NDArray[np.float64]) -> NDArray[np.float64]:
    """Losses that fall with every width, each task's most with its own decoder's."""
    weights_GN = np.full((6, 3), 0.3)
    weights_GN[3:] = np.eye(3)
    losses_PN: NDArray[np.float64] = -np.log(ratios_PG) @ weights_GN
    return losses_PN


def rugged(ratios_PG: NDArray[np.float64]) -> NDArray[np.float64]:
    """Losses in which widths interact, and wider is not always better."""
    rng = np.random.default_rng(7)
    hidden = np.tanh((ratios_PG - 0.6) @ rng.normal(0.0, 2.0, (6, 12)) + rng.normal(size=12))
    losses_PN: NDArray[np.float64] = hidden @ rng.normal(0.0, 0.5, (12, 3)) - ratios_PG[:, 3:]
    return losses_PN


LOSSES: dict[str, Score] = {"wider is better": wider_is_better, "rugged": rugged}


@dataclass(frozen=True)
class Case:
    """A request against the small space."""

    losses: str
    share: float
    """Where the budget lies in the feasible range: 0 at the smallest, 1 at the largest."""
    preference: Mapping[str, float]
    tasks: tuple[str, ...]
    seed: int

    @property
    def range_macs(self) -> tuple[int, int]:
        """MACs of the smallest and the largest sub-network with the case's tasks."""
        cost = COST.for_tasks(self.tasks)
        return cost.of(SPACE.smallest()), cost.of(SPACE.largest())

    @property
    def budget(self) -> int:
        """In MACs."""
        least, most = self.range_macs
        return least + int(self.share * (most - least))

    def problem(self) -> Problem:
        """The case as the algorithms see it."""
        return Problem(
            COST.for_tasks(self.tasks),
            LOSSES[self.losses],
            self.budget,
            Preference.of(SPACE, self.preference, self.tasks),
        )

    def search(self, algorithm: Algorithm) -> SearchResult:
        """The answer of an algorithm."""
        return search(
            algorithm,
            SPACE,
            COST,
            LOSSES[self.losses],
            self.budget,
            self.preference,
            np.random.default_rng(self.seed),
            self.tasks,
        )

    def evolved(self) -> float:
        """The score that the evolution reaches before it spends what is left of the budget."""
        problem = self.problem()
        best_G, _ = evolve(problem, np.random.default_rng(self.seed))
        return float(self.score(best_G[None])[0])

    def path(self) -> list[tuple[int, ...]]:
        """Decoder choices from Eq. 4 to all smallest, the least preferred tasks' first."""
        preference = Preference.of(SPACE, self.preference, self.tasks)
        at = dict.fromkeys(SPACE.tasks, 0) | preference.decoder_choices()
        path = [tuple(at.values())]
        for level in preference.levels():
            while any(at[t] for t in level):
                at |= {t: max(at[t] - 1, 0) for t in level}
                path.append(tuple(at.values()))
        return path

    def fits(self, choices: tuple[int, ...]) -> bool:
        """Whether a candidate is within the budget."""
        return COST.for_tasks(self.tasks).of(SPACE.architecture(choices)) <= self.budget

    def feasible(self) -> Choices:
        """Every encoder that fits, each with the widest decoders of the path beside it, [P, G]."""
        encoders = itertools.product(*(range(len(SPACE.groups[i].channels)) for i in SPACE.encoder))
        choices_PSG = np.array([[(*e, *d) for d in self.path()] for e in encoders])
        macs_X = COST.for_tasks(self.tasks).counts(
            SPACE.channels_of(choices_PSG.reshape(-1, len(SPACE.groups)))
        )
        fits_PS = macs_X.reshape(choices_PSG.shape[:2]) <= self.budget
        first_PG = choices_PSG[np.arange(len(fits_PS)), fits_PS.argmax(axis=1)]
        return np.asarray(first_PG[fits_PS.any(axis=1)])

    def score(self, choices_PG: Choices) -> NDArray[np.float64]:
        """The scores that the contract defines, written out anew, [P]."""
        losses_PN = LOSSES[self.losses](SPACE.ratios_of(SPACE.channels_of(choices_PG)))
        tau = {t: self.preference.get(t, 0.0) for t in self.tasks}
        if not any(tau.values()):
            tau = dict.fromkeys(tau, 1.0)
        total = sum(tau.values())
        shares = {t: value / total for t, value in tau.items()}
        weights_N = np.array([shares.get(t, 0.0) for t in SPACE.tasks])
        return -np.asarray(losses_PN @ weights_N)

    def optimum(self) -> float:
        """The best score within the budget, by brute force."""
        return float(self.score(self.feasible()).max())


PREFERENCES: dict[str, dict[str, float]] = {
    "one above all": {"animals": 0.1, "depth": 1.0, "edges": 0.0},
    "two ahead": {"animals": 0.8, "depth": 0.2, "edges": 0.8},
    "equal": {"animals": 0.4, "depth": 0.4, "edges": 0.4},
    "none": {},
}


def cases() -> st.SearchStrategy[Case]:
    """Any feasible request."""
    return st.builds(
        Case,
        losses=st.sampled_from(sorted(LOSSES)),
        share=st.floats(0.0, 1.2),
        preference=st.dictionaries(st.sampled_from(SPACE.tasks), st.floats(0.0, 1.0)),
        tasks=st.sets(st.sampled_from(SPACE.tasks), min_size=1).map(
            lambda kept: tuple(t for t in SPACE.tasks if t in kept)
        ),
        seed=st.integers(0, 2**32),
    )

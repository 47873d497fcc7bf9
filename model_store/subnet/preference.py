"""What a user's task preferences mean to the search: decoder widths, and the weight of each task.

ECMT Sec. 4.2 (Eq. 4) and Sec. 5 (min-max normalisation), with the gaps of the paper closed
(docs/method.md). Dimensions: N tasks, G groups.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_store.subnet.space import SearchSpace

_EQUAL = 1e-9
"""Preferences closer than this are equal: min-max normalisation would blow rounding up to 0 and 1.
"""


@dataclass(frozen=True)
class Preference:
    """The preference τ of every task whose decoder is kept, checked against a search space."""

    space: SearchSpace
    tau: Mapping[str, float]
    """Task to preference in [0, 1], kept tasks only, in the order of the space."""

    @staticmethod
    def of(
        space: SearchSpace, preference: Mapping[str, float], tasks: Collection[str] | None
    ) -> "Preference":
        """The preference of a request.

        Args:
            space: the search space whose tasks are meant.
            preference: task to preference in [0, 1]; a task that is not named has 0.
            tasks: the tasks whose decoders are kept; None keeps all. Preferences of the other
                tasks are without effect.

        Raises:
            ValueError: an unknown task, no task at all, or a preference outside [0, 1].
        """
        kept = set(space.tasks if tasks is None else tasks)
        unknown = sorted((kept | set(preference)) - set(space.tasks))
        if unknown:
            raise ValueError(
                f"unknown tasks: {', '.join(unknown)}; the tasks are {', '.join(space.tasks)}"
            )
        if not kept:
            raise ValueError(f"at least one task expected, of {', '.join(space.tasks)}")
        for task, value in preference.items():
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"preference of {task!r} must lie in [0, 1], found {value}")
        return Preference(
            space, {t: float(preference.get(t, 0.0)) for t in space.tasks if t in kept}
        )

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks whose decoders are kept, in the order of the space."""
        return tuple(self.tau)

    def normalised(self) -> dict[str, float]:
        """Min-max normalised preferences (ECMT Sec. 5): the most preferred task has 1.

        Equal preferences, which the paper's formula would divide by zero, are all 1: no task asks
        to stand back.
        """
        least, most = min(self.tau.values()), max(self.tau.values())
        if most - least <= _EQUAL:
            return dict.fromkeys(self.tau, 1.0)
        return {t: (v - least) / (most - least) for t, v in self.tau.items()}

    def decoder_choices(self) -> dict[str, int]:
        """The decoder choice of every kept task by ECMT Eq. 4.

        ω_i = ω_min + (ω_max - ω_min) τ_i with normalised τ, taken to the nearest choice (of two,
        the wider one).
        """
        choices = {}
        for task, tau in self.normalised().items():
            group = self.space.groups[self.space.decoders[task]]
            narrowest, widest = group.ratios[0], group.ratios[-1]
            choices[task] = group.index_of(narrowest + (widest - narrowest) * tau)
        return choices

    def levels(self) -> list[list[str]]:
        """Tasks of equal preference together, the least preferred first."""
        levels: list[list[str]] = []
        for task in sorted(self.tau, key=self.tau.__getitem__):
            if levels and self.tau[task] - self.tau[levels[-1][-1]] <= _EQUAL:
                levels[-1].append(task)
            else:
                levels.append([task])
        return levels

    def weights_N(self) -> NDArray[np.float64]:
        """Each task's share of the score, in proportion to τ; sums to 1, dropped tasks have 0.

        If all preferences are zero, all kept tasks count alike.
        """
        return self._shares(self.tau)

    def most_preferred_N(self) -> NDArray[np.float64]:
        """The same, of the most preferred task alone (ECMT Algorithm 2, line 3).

        Tasks that share the first place count alike, so that their order does not decide.
        """
        return self._shares(dict.fromkeys(self.levels()[-1], 1.0))

    def _shares(self, shares: Mapping[str, float]) -> NDArray[np.float64]:
        total = sum(shares.values())
        if total == 0.0:
            return self._shares(dict.fromkeys(self.tau, 1.0))
        return np.array([shares.get(t, 0.0) / total for t in self.space.tasks])

"""What a user asks of a model: a budget, a preference per task, and which tasks to keep."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, cast, get_args

from model_store.published import PublishedModel
from model_store.subnet.search import Algorithm

Precision = Literal["fp32"]


@dataclass(frozen=True)
class SubnetRequest:
    """What a user asks of a model, in canonical form: made by :meth:`of`."""

    budget_gmacs: float
    """The most GMACs (1e9 multiply-accumulates at batch 1) that the sub-network may cost."""
    preference: Mapping[str, float]
    """Preference in [0, 1] of every kept task, in the model's order of tasks."""
    tasks: tuple[str, ...]
    """The kept tasks, in the model's order."""
    search: Algorithm = "evolution"
    precision: Precision = "fp32"

    @staticmethod
    def of(
        model: PublishedModel,
        budget_gmacs: float,
        preference: Mapping[str, float],
        tasks: Sequence[str] | None = None,
        search: str = "evolution",
        precision: str = "fp32",
    ) -> "SubnetRequest":
        """The request in canonical form, checked against a model.

        Args:
            model: the model that is asked.
            budget_gmacs: a positive number.
            preference: task to preference in [0, 1]; tasks that are not named have 0. What it says
                about tasks that are not kept has no effect.
            tasks: the tasks to keep, in any order; by default all.
            search: ``evolution`` or ``ecmt``.
            precision: ``fp32``.

        Raises:
            ValueError: says what was wrong and what would be right.
        """
        known = model.space.tasks
        named = list(known if tasks is None else tasks)
        if unknown := sorted({*named, *preference} - set(known)):
            raise ValueError(f"unknown tasks {unknown}; this model has {list(known)}")
        if not named:
            raise ValueError(f"at least one task is needed; this model has {list(known)}")
        for task, value in preference.items():
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"preferences lie in [0, 1], found {value} for {task!r}")
        if not (math.isfinite(budget_gmacs) and budget_gmacs > 0):
            raise ValueError(f"the budget must be a positive number of GMACs, found {budget_gmacs}")
        if search not in get_args(Algorithm):
            raise ValueError(f"search is one of {list(get_args(Algorithm))}, found {search!r}")
        if precision not in get_args(Precision):
            raise ValueError(
                f"precision is one of {list(get_args(Precision))}, found {precision!r}"
            )
        kept = tuple(t for t in known if t in named)
        # Adding 0.0 turns -0.0, which is equal but reads differently, into 0.0.
        canonical = {t: float(preference.get(t, 0.0)) + 0.0 for t in kept}
        return SubnetRequest(
            budget_gmacs=float(budget_gmacs),
            preference=MappingProxyType(canonical),
            tasks=kept,
            search=cast("Algorithm", search),
            precision=cast("Precision", precision),
        )

    @property
    def budget_macs(self) -> int:
        """The budget in multiply-accumulates, rounded so that a reported cost fits itself."""
        return round(min(self.budget_gmacs * 1e9, 2.0**53))

    def digest(self, model: PublishedModel) -> str:
        """SHA-256 of the request and the model version: equal requests have equal digests."""
        return canonical_digest(
            model.digest,
            self.budget_gmacs,
            dict(self.preference),
            self.tasks,
            self.search,
            self.precision,
        )


def canonical_digest(*parts: Any) -> str:  # noqa: ANN401
    """SHA-256 of the JSON of these parts, in hexadecimal."""
    return hashlib.sha256(json.dumps(parts, separators=(",", ":")).encode()).hexdigest()

"""What a user asks of a model: a budget, a preference per task, and which tasks to keep."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, cast, get_args

from model_store.budget import Budget
from model_store.latency import LatencyProfile
from model_store.published import PublishedModel
from model_store.subnet.cost import GMACS, Unit
from model_store.subnet.search import Algorithm

Precision = Literal["fp32"]


@dataclass(frozen=True)
class SubnetRequest:
    """What a user asks of a model, in canonical form: made by :meth:`of`."""

    budget: Budget
    """The most that the sub-network may cost."""
    preference: Mapping[str, float]
    """Preference in [0, 1] of every kept task, in the model's order of tasks."""
    tasks: tuple[str, ...]
    """The kept tasks, in the model's order."""
    search: Algorithm = "evolution"
    precision: Precision = "fp32"
    latency: LatencyProfile | None = None
    """What a budget of latency is counted with; None for the others."""

    @staticmethod
    def of(
        model: PublishedModel,
        budget: Budget | float,
        preference: Mapping[str, float],
        tasks: Sequence[str] | None = None,
        search: str = "evolution",
        precision: str = "fp32",
        latency: LatencyProfile | None = None,
    ) -> "SubnetRequest":
        """The request in canonical form, checked against a model.

        Args:
            model: the model that is asked.
            budget: a budget; a number is one of GMACs.
            preference: task to preference in [0, 1]; tasks that are not named have 0. What it says
                about tasks that are not kept has no effect.
            tasks: the tasks to keep, in any order; by default all.
            search: ``evolution`` or ``ecmt``.
            precision: ``fp32``.
            latency: the model's profile on the machine that predicts; only budgets of latency
                look at it.

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
        if not isinstance(budget, Budget):
            budget = Budget("gmacs", float(budget))
        if budget.kind != "latency_ms":
            latency = None
        elif latency is None:
            raise ValueError(
                f"latency_ms needs a latency profile of {model.manifest.name!r} on this machine; "
                f"run `slimdial profile {model.manifest.name}` here, or ask for gmacs"
            )
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
            budget=budget,
            preference=MappingProxyType(canonical),
            tasks=kept,
            search=cast("Algorithm", search),
            precision=cast("Precision", precision),
            latency=latency,
        )

    def counts(self, unit: Unit) -> int:
        """The most counts of a cost model that are within the budget."""
        return _within(self.budget.value, unit.scale)

    def digest(self, model: PublishedModel) -> str:
        """SHA-256 of the request and the model version: equal requests have equal digests.

        A fraction is the same request as the GMACs that it stands for.
        """
        budget: Any = [self.budget.kind, self.budget.value]
        if self.budget.kind == "gmacs":
            budget = self.budget.value
        elif self.budget.kind == "fraction":
            budget = _within(self.budget.value, model.full_macs) / GMACS.scale
        elif self.latency is not None:
            budget.append(self.latency.digest)
        return canonical_digest(
            model.digest,
            budget,
            dict(self.preference),
            self.tasks,
            self.search,
            self.precision,
        )


def _within(value: float, scale: float) -> int:
    """The most counts whose cost, ``counts / scale``, is at most a value.

    So a cost that was reported is a budget that it fits, and no budget is exceeded by a fraction of
    a count.
    """
    nearest = round(min(value * scale, 2.0**53))
    return nearest if nearest / scale <= value else nearest - 1


def canonical_digest(*parts: Any) -> str:  # noqa: ANN401
    """SHA-256 of the JSON of these parts, in hexadecimal."""
    return hashlib.sha256(json.dumps(parts, separators=(",", ":")).encode()).hexdigest()

"""The numbers that an evaluation comes down to, over the seeds, and the targets set for them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from model_store.subnet.search import Algorithm
from training.evaluation.comparison import comparisons
from training.evaluation.control import budget_use, preference_correlation
from training.evaluation.gains import distillation_gain, over_singles, over_static
from training.evaluation.results import RunResults
from training.evaluation.tables import percent
from training.evaluation.volumes import static_volume, volumes

TIGHT = 0.44
"""The share of the full GMACs that a tight budget may have (ECMT Table 1: 10 of 22.66)."""

Verdict = Literal["reached", "missed", "open"]


@dataclass(frozen=True)
class Number:
    """A quantity over the runs that have it."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float | None:
        """None if no run has it."""
        return float(np.mean(self.values)) if self.values else None

    @property
    def spread(self) -> float | None:
        """Standard deviation between runs, of n - 1; None of fewer than two."""
        return float(np.std(self.values, ddof=1)) if len(self.values) > 1 else None


@dataclass(frozen=True)
class Target:
    """A target, and how far the measured numbers are."""

    what: str
    wanted: str
    number: Number
    verdict: Verdict
    note: str
    """Why it is open, or what the number means."""


def hv_over_static(results: RunResults, share: float | None) -> float | None:
    """The hypervolume of losses over MTL-Static's; None where one of them is missing."""
    static = static_volume(results)
    if static is None or share is None or static.losses == 0.0:
        return None
    (found,) = [v for v in volumes(results) if (v.algorithm, v.share) == ("evolution", share)]
    return found.volume.losses / static.losses


def tight_share(results: RunResults) -> float | None:
    """The largest budget of at most 44% of the full GMACs, if there is one."""
    shares = {a.share for a in results.answers.answers}
    return max((s for s in shares if s <= TIGHT), default=None)


def full_share(results: RunResults) -> float | None:
    """The full budget, if it was asked for."""
    return 1.0 if any(a.share == 1.0 for a in results.answers.answers) else None


def worst_change(results: RunResults) -> float | None:
    """Of the budgets, the one where ``evolution`` compares worst with ``ecmt``, in percent."""
    return max((c.change for c in comparisons(results)), default=None)


def tightest(results: RunResults) -> float:
    """The smallest budget that was asked for."""
    return min(a.share for a in results.answers.answers)


def mean_rho(results: RunResults, share: float | None) -> float | None:
    """Spearman's ρ of preference and metric at a budget, mean over the tasks."""
    if share is None:
        return None
    answers = results.answers.of("evolution", share)
    if any(a.measured is None for a in answers):
        return None
    found = preference_correlation(results.tasks, answers)
    return float(np.mean([metric for metric, _ in found.values()]))


def mean_tau(results: RunResults) -> float:
    """Kendall's τ of the predicted losses of held-out sub-networks, mean over the tasks."""
    return float(np.mean(list(results.predictor.loss_tau.values())))


def least_use(results: RunResults) -> float:
    """Of the budgets, the lowest mean use of what preferences let a sub-network cost."""
    return min(u.attained for u in budget_use(results) if u.algorithm == "evolution")


def headline(runs: Sequence[RunResults]) -> dict[str, Number]:
    """What an evaluation comes down to, by name; quantities that no run has are left out."""
    quantities: dict[str, Callable[[RunResults], float | None]] = {
        "HV of losses at no more than 44% over MTL-Static": lambda r: hv_over_static(
            r, tight_share(r)
        ),
        "HV of losses at 100% over MTL-Static": lambda r: hv_over_static(r, full_share(r)),
        "Δ-MTL over single-task networks, full width, %": lambda r: (
            over_singles(r, r.baselines.full.quality.metrics) if r.baselines else None
        ),
        "Δ-MTL over single-task networks, MTL-Static, %": lambda r: (
            over_singles(r, r.baselines.static.largest.quality.metrics)
            if r.baselines and r.baselines.static.largest
            else None
        ),
        "mean gain over MTL-Static, full width, %": lambda r: (
            over_static(r, r.baselines.full.quality.metrics) if r.baselines else None
        ),
        "mean gain over MTL-Static, smallest, %": lambda r: (
            over_static(r, r.baselines.smallest.quality.metrics) if r.baselines else None
        ),
        "gain of the smallest sub-network by distillation, %": distillation_gain,
        "weighted loss of evolution over ecmt's, worst budget, %": worst_change,
        "Spearman's ρ of preference and metric, tightest budget": lambda r: mean_rho(
            r, tightest(r)
        ),
        "Spearman's ρ of preference and metric, full budget": lambda r: mean_rho(r, full_share(r)),
        "Kendall's τ of predicted losses": mean_tau,
        "use of what budget and preference allow, worst budget": least_use,
    }
    found = {name: number(of, runs) for name, of in quantities.items()}
    for algorithm, share in dict.fromkeys((v.algorithm, v.share) for r in runs for v in volumes(r)):
        losses, errors = (number(_volume(algorithm, share, e), runs) for e in (False, True))
        found[f"HV of losses at {percent(share)}, {algorithm}"] = losses
        found[f"HV of errors at {percent(share)}, {algorithm}"] = errors
    return {name: n for name, n in found.items() if n.values}


def _volume(
    algorithm: Algorithm, share: float, errors: bool
) -> Callable[[RunResults], float | None]:
    def of(results: RunResults) -> float | None:
        for v in volumes(results):
            if (v.algorithm, v.share) == (algorithm, share):
                return v.volume.errors if errors else v.volume.losses
        return None

    return of


def number(of: Callable[[RunResults], float | None], runs: Sequence[RunResults]) -> Number:
    """A quantity over the runs that have it."""
    return Number(tuple(value for value in map(of, runs) if value is not None))


def targets(runs: Sequence[RunResults]) -> list[Target]:
    """Every target with the numbers of these runs; what was not measured stays open."""
    static = "needs MTL-Static, a full budget and one of at most 44%"
    tight = number(lambda r: hv_over_static(r, tight_share(r)), runs)
    full = number(lambda r: hv_over_static(r, full_share(r)), runs)
    change = number(worst_change, runs)
    tau = number(mean_tau, runs)
    tight_rho = number(lambda r: mean_rho(r, tightest(r)), runs)
    full_rho = number(lambda r: mean_rho(r, full_share(r)), runs)
    use = number(least_use, runs)
    over = sum(u.exceeded for r in runs for u in budget_use(r))
    return [
        _at_least("HV at no more than 44% of full GMACs, over MTL-Static's", 0.98, tight, static),
        _at_least("HV at full budget over MTL-Static's", 1.0, full, static),
        _distillation(number(distillation_gain, runs)),
        Target(
            "`evolution` against `ecmt`: weighted measured loss, change in % at the worst budget",
            "at most 0",
            change,
            "open" if change.mean is None else "reached" if max(change.values) <= 0 else "missed",
            "needs a checkpoint" if change.mean is None else "worst run counts",
        ),
        _at_least("predictor's Kendall τ of losses, mean over tasks", 0.90, tau, ""),
        *(
            _at_least(
                f"preference against measured metric at {budget}, Spearman's ρ, mean over tasks",
                0.8,
                rho,
                "needs a checkpoint and such a budget",
                "the target is that of `rooms`",
            )
            for budget, rho in (("the full budget", full_rho), ("the tightest budget", tight_rho))
        ),
        Target(
            "cost of what budget and preference allow, mean at the worst budget",
            "at least 0.98, never over the budget",
            use,
            "reached" if not over and use.mean is not None and use.mean >= 0.98 else "missed",
            f"{over} answers over the budget",
        ),
    ]


def _at_least(what: str, wanted: float, found: Number, needs: str, note: str = "") -> Target:
    verdict: Verdict = "open"
    if found.mean is not None:
        verdict, needs = ("reached" if found.mean >= wanted else "missed"), note
    return Target(what, f"at least {wanted:g}", found, verdict, needs)


def _distillation(gain: Number) -> Target:
    what = "smallest sub-network with distillation against without, mean gain over tasks in %"
    wanted = "above 0 by more than the spread of the seeds"
    if gain.mean is None:
        return Target(what, wanted, gain, "open", "needs a run without distillation")
    if gain.spread is None:
        return Target(what, wanted, gain, "open", "needs several seeds")
    return Target(what, wanted, gain, "reached" if gain.mean > gain.spread else "missed", "")

"""``ecmt`` against ``evolution``: the measured loss, weighted by preference, at equal budgets."""

from dataclasses import dataclass

import numpy as np

from training.evaluation.results import Answer, RunResults


@dataclass(frozen=True)
class Comparison:
    """Both algorithms at one budget, over the same preferences."""

    share: float
    ecmt: float
    """Mean over the preferences of Σ τ_n L_n / Σ τ_n, measured."""
    evolution: float
    ecmt_relative: float
    """The same with each loss over that of the full network, so that tasks count alike whatever
    the scale of their losses."""
    evolution_relative: float
    better: int
    """Preferences for which ``evolution`` measures better."""
    worse: int

    @property
    def change(self) -> float:
        """By how much ``evolution``'s weighted loss differs from ``ecmt``'s, in percent."""
        return 100.0 * (self.evolution - self.ecmt) / self.ecmt


def weighted_loss(answer: Answer, full: dict[str, float] | None = None) -> float:
    """Σ τ_n L_n / Σ τ_n of a measured answer; losses over those of the full network, if given.

    Raises:
        ValueError: the answer was not measured.
    """
    if answer.measured is None:
        raise ValueError("the answer was not measured")
    scale = full or dict.fromkeys(answer.preference, 1.0)
    weighted = [
        tau * answer.measured.losses[task] / scale[task] for task, tau in answer.preference.items()
    ]
    return sum(weighted) / sum(answer.preference.values())


def comparisons(results: RunResults) -> list[Comparison]:
    """At each budget; none of a published model, of which nothing is measured."""
    if results.baselines is None:
        return []
    full = results.baselines.full.quality.losses
    found: list[Comparison] = []
    for share in dict.fromkeys(a.share for a in results.answers.answers):
        paper, ours = (results.answers.of(a, share) for a in ("ecmt", "evolution"))
        paper_P, ours_P = ([weighted_loss(a) for a in answers] for answers in (paper, ours))
        found.append(
            Comparison(
                share=share,
                ecmt=float(np.mean(paper_P)),
                evolution=float(np.mean(ours_P)),
                ecmt_relative=float(np.mean([weighted_loss(a, full) for a in paper])),
                evolution_relative=float(np.mean([weighted_loss(a, full) for a in ours])),
                better=sum(o < p for o, p in zip(ours_P, paper_P, strict=True)),
                worse=sum(o > p for o, p in zip(ours_P, paper_P, strict=True)),
            )
        )
    return found

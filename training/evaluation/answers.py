"""The searches' answers to sampled preferences: predicted, and measured where there is a network.

Hypervolume, control, and the comparison of the algorithms are all taken from these.
"""

from collections.abc import Mapping
from typing import get_args

import numpy as np

from model_store.subnet.preference import Preference
from model_store.subnet.search import Algorithm, search
from model_store.subnet.space import Architecture
from training.evaluation.gauge import Gauge, Show
from training.evaluation.results import Answer, Answers
from training.evaluation.settings import Settings
from training.evaluation.subject import Subject
from training.hypervolume import drawn_preferences

ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)


def found(
    subject: Subject,
    algorithm: Algorithm,
    budget_macs: int,
    preference: Mapping[str, float],
    seed: int,
) -> Architecture:
    """A search's answer; every search starts from the same random state."""
    return search(
        algorithm,
        subject.space,
        subject.cost,
        subject.predictor.standardised_losses,
        budget_macs,
        preference,
        np.random.default_rng(seed),
    ).architecture


def attainable_macs(subject: Subject, budget_macs: int, preference: Mapping[str, float]) -> int:
    """The most that a sub-network can cost that keeps to a budget and to Eq. 4.

    No decoder is wider than Eq. 4 makes it, so a one-sided preference leaves part of a large
    budget unspent however wide the encoder is.
    """
    space = subject.space
    widest_G = space.choices_G - 1
    for task, choice in Preference.of(space, preference, None).decoder_choices().items():
        widest_G[space.decoders[task]] = choice
    return min(budget_macs, subject.cost.of(space.architecture(widest_G)))


def answered(subject: Subject, settings: Settings, gauge: Gauge | None, show: Show) -> Answers:
    """Searches every preference at every budget with every algorithm, and measures the answers.

    Args:
        subject: what is searched.
        settings: budgets, preferences, seed.
        gauge: measures; None leaves it at what is predicted.
        show: shown the progress of the searches.

    Raises:
        InfeasibleBudget: a budget is below the smallest sub-network.
    """
    preferences = drawn_preferences(subject.space.tasks, settings.preferences, settings.seed)
    asked = [(a, s, p) for a in ALGORITHMS for s in settings.shares for p in preferences]
    full = subject.cost.of(subject.space.largest())
    architectures: list[Architecture] = []
    for done, (algorithm, share, preference) in enumerate(asked, start=1):
        architectures.append(
            found(subject, algorithm, int(share * full), preference, settings.seed)
        )
        show("searching", done, len(asked))
    measured = gauge.measure("measuring answers", architectures) if gauge else [None] * len(asked)
    return Answers(
        answers=tuple(
            Answer(
                algorithm=algorithm,
                share=share,
                budget_gmacs=int(share * full) / 1e9,
                attainable_gmacs=attainable_macs(subject, int(share * full), preference) / 1e9,
                preference=preference,
                channels=architecture.as_dict(),
                gmacs=subject.gmacs(architecture),
                predicted=subject.predict(architecture),
                measured=quality,
            )
            for (algorithm, share, preference), architecture, quality in zip(
                asked, architectures, measured, strict=True
            )
        )
    )

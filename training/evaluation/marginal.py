"""A task's quality against its own preference, other preferences marginalised: Fig. 7."""

from collections.abc import Mapping, Sequence

import numpy as np

from model_store.subnet.preference import Preference
from model_store.subnet.space import Architecture, SearchSpace
from training.evaluation.gauge import Gauge
from training.evaluation.results import EncoderSize, Marginal, MarginalCurve
from training.evaluation.settings import Settings
from training.evaluation.subject import Subject

PREFERENCES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Values of the preference that varies."""

DRAWS = 200
"""Draws of the others' preferences, each U(0, 1) as Sec. 4.2 assumes."""


def steps(space: SearchSpace, encoder: EncoderSize) -> list[Architecture]:
    """All decoders at their first choice, all at their second ..., beside one encoder.

    Given the encoder, a task's quality depends on its own decoder alone, so these few sub-networks
    have every quality that any preference can give.
    """
    widest_G = space.choices_G - 1
    start_G = widest_G if encoder == "largest" else np.zeros_like(widest_G)
    decoders = list(space.decoders.values())
    architectures: list[Architecture] = []
    for choice in range(int(widest_G[decoders].max()) + 1):
        choices_G = start_G.copy()
        choices_G[decoders] = np.minimum(choice, widest_G[decoders])
        architectures.append(space.architecture(choices_G))
    return architectures


def chances(space: SearchSpace, task: str, tau: float, seed: int) -> Mapping[int, float]:
    """How often Eq. 4 gives a task each decoder choice, others' preferences being random."""
    rng = np.random.default_rng(seed)
    count: dict[int, int] = {}
    for draw_N in rng.random((DRAWS, len(space.tasks))):
        preference = dict(zip(space.tasks, draw_N.tolist(), strict=True)) | {task: tau}
        choice = Preference.of(space, preference, None).decoder_choices()[task]
        count[choice] = count.get(choice, 0) + 1
    return {choice: n / DRAWS for choice, n in count.items()}


def marginalised(subject: Subject, settings: Settings, gauge: Gauge) -> Marginal:
    """The mean metric of every task at each value of its preference, beside two encoders."""
    sizes: tuple[EncoderSize, ...] = ("largest", "smallest")
    space = subject.space
    rows = {size: steps(space, size) for size in sizes}
    qualities = gauge.measure("varying decoders", [a for row in rows.values() for a in row])
    by_size: dict[EncoderSize, Sequence[Mapping[str, float]]] = {}
    for i, size in enumerate(sizes):
        count = len(rows[size])
        by_size[size] = [q.metrics for q in qualities[i * count : (i + 1) * count]]
    curves: list[MarginalCurve] = []
    for task in space.tasks:
        likely = [chances(space, task, tau, settings.seed) for tau in PREFERENCES]
        curves += [
            MarginalCurve(
                task=task,
                encoder=size,
                preference=PREFERENCES,
                metric=tuple(
                    sum(p * metrics[choice][task] for choice, p in chance.items())
                    for chance in likely
                ),
            )
            for size, metrics in by_size.items()
        ]
    return Marginal(curves=tuple(curves))

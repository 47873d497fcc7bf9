"""Results made up by hand, of as many tasks as asked for."""

from collections.abc import Mapping, Sequence

import numpy as np

from model_store.manifest import TaskKind
from training.evaluate import Quality
from training.evaluation.answers import ALGORITHMS
from training.evaluation.judged import Judged
from training.evaluation.results import (
    Answer,
    Answers,
    Baseline,
    Baselines,
    Calibration,
    CalibrationPoint,
    Decoders,
    DecoderWidths,
    EncoderPoint,
    Encoders,
    Marginal,
    MarginalCurve,
    Measured,
    Parity,
    PredictorFigures,
    RunResults,
    Sweep,
    SweepPoint,
)
from training.metrics import metric_of

KINDS: tuple[TaskKind, ...] = ("segmentation", "depth", "normals", "edges", "saliency")


def dense_tasks() -> tuple[Judged, ...]:
    """One task of each dense kind."""
    return tuple(Judged(kind, kind, metric_of(kind)) for kind in KINDS)


def many_tasks() -> tuple[Judged, ...]:
    """Twenty classifications with long names."""
    metric = metric_of("classification")
    return tuple(Judged(f"wheelchair-yin_yang-{i:02}", "classification", metric) for i in range(20))


def quality(tasks: Sequence[Judged], loss: float, metric: float | None = None) -> Quality:
    """The same loss for every task; metrics get better as losses get lower."""
    metrics = {
        t.name: (1 - loss if t.metric.higher_is_better else loss) if metric is None else metric
        for t in tasks
    }
    return Quality(dict.fromkeys((t.name for t in tasks), loss), metrics)


def measured(tasks: Sequence[Judged], loss: float, gmacs: float = 1.0) -> Measured:
    """A network of which no widths are known."""
    return Measured(channels={}, gmacs=gmacs, quality=quality(tasks, loss))


def answer(
    tasks: Sequence[Judged],
    algorithm: str,
    share: float,
    preference: Mapping[str, float],
    found: Quality | None,
    gmacs: float | None = None,
) -> Answer:
    """An answer that costs 99% of its budget, of a network of 1 GMAC."""
    return Answer.model_validate(
        {
            "algorithm": algorithm,
            "share": share,
            "budget_gmacs": share,
            "attainable_gmacs": share,
            "preference": dict(preference),
            "channels": {},
            "gmacs": 0.99 * share if gmacs is None else gmacs,
            "predicted": quality(tasks, 0.5),
            "measured": found,
        }
    )


def baseline(
    tasks: Sequence[Judged], variant: str, loss: float | None, run: str = "run"
) -> Baseline:
    """A baseline of this loss, or None for one that was not trained."""
    found = None if loss is None else measured(tasks, loss)
    return Baseline(
        variant=variant,
        run=None if loss is None else run,
        options=f"made --variant {variant}",
        largest=found,
        smallest=found,
    )


def results(
    tasks: Sequence[Judged] = dense_tasks(),
    static: float | None = 0.3,
    single: float | None = 0.3,
    without_distillation: float | None = 0.45,
    evolution: float = 0.3,
    ecmt: float = 0.35,
    name: str = "made",
) -> RunResults:
    """Results of a run, with the losses of its baselines and of what the searches answered."""
    names, rng = [t.name for t in tasks], np.random.default_rng(0)
    preferences = [dict(zip(names, rng.dirichlet(np.ones(len(names))), strict=True)) for _ in "abc"]
    losses = {"evolution": evolution, "ecmt": ecmt}
    points = [
        SweepPoint(
            budget_gmacs=g,
            gmacs=g,
            predicted=quality(tasks, 0.5),
            measured=quality(tasks, 0.5 - g / 5),
        )
        for g in (0.2, 0.6, 1.0)
    ]
    flat = dict.fromkeys(names, 0.7)
    return RunResults(
        name=name,
        kind="run",
        digest="0" * 64,
        epochs=3,
        tasks=tuple(tasks),
        test_images=7,
        full_gmacs=1.0,
        smallest_gmacs=0.2,
        predictor=PredictorFigures(
            samples=9, held_out=1, loss_tau=flat, loss_mae=flat, metric_tau=flat, metric_mae=flat
        ),
        answers=Answers(
            answers=tuple(
                answer(tasks, a, s, p, quality(tasks, losses[a]))
                for a in ALGORITHMS
                for s in (1.0, 0.44)
                for p in preferences
            )
        ),
        sweep=Sweep(points=tuple(points), uniform=tuple(points)),
        decoders=Decoders(
            budget_gmacs=0.44,
            rows=tuple(
                DecoderWidths(preference=p, normalised=p, eq4=flat, found=flat) for p in preferences
            ),
        ),
        encoders=Encoders(
            points=tuple(
                EncoderPoint(
                    budget_gmacs=g,
                    found={"ecmt": measured(tasks, ecmt), "evolution": measured(tasks, evolution)},
                    random=(measured(tasks, 0.5), measured(tasks, 0.4)),
                )
                for g in (0.3, 0.6)
            )
        ),
        marginal=Marginal(
            curves=tuple(
                MarginalCurve(task=n, encoder=e, preference=(0.0, 1.0), metric=(0.4, 0.6))
                for n in names
                for e in ("largest", "smallest")
            )
        ),
        baselines=Baselines(
            full=measured(tasks, 0.3),
            smallest=measured(tasks, 0.4, 0.2),
            static=baseline(tasks, "static", static),
            singles={n: baseline(tasks, f"single:{n}", single) for n in names},
            no_distillation=baseline(tasks, "no-distillation", without_distillation),
        ),
        calibration=Calibration(
            points=tuple(
                CalibrationPoint(
                    images=i, network=n, metrics={t.metric.name: 0.5 + i / 100 for t in tasks}
                )
                for i in (8, 16)
                for n in ("smallest", "uniform 70%", "full")
            )
        ),
        parity=Parity(checks=6, tolerance=1e-4, largest_error=1e-6, failure=None),
    )

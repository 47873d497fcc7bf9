"""An evaluation from beginning to end: every part in its turn, each kept as soon as it is there."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from model_store.published import PublishedModel
from training.data.load import DataSets
from training.evaluation.answers import answered
from training.evaluation.baselines import measured_baselines, siblings
from training.evaluation.calibration import calibration_curve
from training.evaluation.decoders import translated
from training.evaluation.encoders import compared
from training.evaluation.gauge import Gauge, Show, digest_of, limited
from training.evaluation.marginal import marginalised
from training.evaluation.memo import Memo
from training.evaluation.overview import write_overview
from training.evaluation.parts import Parts
from training.evaluation.report import report_of
from training.evaluation.results import (
    Answers,
    Baselines,
    Calibration,
    Decoders,
    Encoders,
    Marginal,
    Parity,
    PredictorFigures,
    RunResults,
    Sweep,
)
from training.evaluation.settings import Settings
from training.evaluation.slices import checked
from training.evaluation.subject import Run, Subject, published_subject
from training.evaluation.sweep import swept
from training.loop import load_network
from training.measure import calibration_batch
from training.ranks import Ranks
from training.recipe import Recipe
from training.state import check_trained_on, how_trained

LoadSets = Callable[[Recipe], DataSets]


def evaluate_all(
    subjects: Sequence[Run | PublishedModel],
    settings: Settings,
    folder: Path,
    load_sets: LoadSets,
    ranks: Ranks,
    show: Show,
) -> list[RunResults]:
    """Evaluates runs of one recipe, or a published model, and writes the reports.

    Args:
        subjects: what to evaluate.
        settings: how much is measured.
        folder: where reports are written, and where an interrupted evaluation left off.
        load_sets: loads the data of a recipe.
        ranks: the processes that share the measuring.
        show: shown the progress.

    Raises:
        ValueError: the subjects are of different recipes, or one cannot be evaluated.
    """
    whole = {
        replace(s.name, seed=0).folder if isinstance(s, Run) else str(s.path) for s in subjects
    }
    if len(whole) > 1:
        raise ValueError(
            "seeds of one recipe and variant, or one model, can be evaluated together; found "
            f"{', '.join(sorted(whole))}"
        )
    runs = [subject for subject in subjects if isinstance(subject, Run)]
    # Whatever is missing is said before hours are spent on the others.
    for run in runs:
        run.subject(ranks)
    ranks.from_first(lambda: check_alike([run.checkpoint for run in runs]))
    found: list[RunResults] = []
    for subject in subjects:
        if isinstance(subject, Run):
            results = evaluate_run(subject, settings, folder, load_sets, ranks, show)
        else:
            results = evaluate_model(subject, settings, folder, ranks, show)
        found.append(results)
        if ranks.first:
            own = folder / results.name
            own.mkdir(parents=True, exist_ok=True)
            (own / "results.json").write_text(results.model_dump_json(indent=1))
            report_of(results).write(own)
    if ranks.first:
        write_overview(found, folder)
    return found


def check_alike(checkpoints: Sequence[Path]) -> None:
    """Checks that runs which only differ in their seeds can be averaged.

    Raises:
        ValueError: they were not trained alike.
    """
    found = {path.parent.name: how_trained(path) for path in checkpoints}
    if len(set(found.values())) > 1:
        epochs = ", ".join(f"{name} ({how[0]} epochs)" for name, how in found.items())
        raise ValueError(
            f"seeds are averaged, so they must have been trained alike: {epochs} were not, by "
            "epochs, settings, or the weights they started from; name the run folders to evaluate"
        )


def evaluate_run(
    run: Run, settings: Settings, folder: Path, load_sets: LoadSets, ranks: Ranks, show: Show
) -> RunResults:
    """Everything about a run, measured on its test split."""
    subject, tensors = run.subject(ranks)
    own = folder / subject.name
    parts, memo = Parts(own / "parts", ranks), Memo(own / "measured.jsonl", ranks)
    sets = load_sets(run.recipe)
    check_trained_on(sets.train, run.checkpoint, ranks)
    test = limited(sets.test, settings.images, settings.seed)
    read = f"{subject.name}: reading the test images"
    test_digest = ranks.from_first(lambda: digest_of(test, lambda done, n: show(read, done, n)))
    gauge = Gauge(
        network=load_network(run.recipe, run.checkpoint, ranks),
        identity=subject.digest,
        test=test,
        test_digest=test_digest,
        calibration_NCHW=calibration_batch(run.recipe, sets.train),
        memo=memo,
        ranks=ranks,
        show=lambda what, done, count: show(f"{subject.name}: {what}", done, count),
    )
    depends = [gauge.key, asdict(settings), _fitted(subject)]
    beside = siblings(run, subject.epochs, ranks)
    return RunResults(
        name=subject.name,
        kind="run",
        digest=subject.digest,
        epochs=subject.epochs,
        tasks=subject.tasks,
        test_images=len(gauge.test),
        full_gmacs=subject.full_gmacs,
        smallest_gmacs=subject.gmacs(subject.space.smallest()),
        predictor=_fitted_figures(subject),
        answers=parts.get(
            "answers", depends, Answers, lambda: answered(subject, settings, gauge, gauge.show)
        ),
        baselines=parts.get(
            "baselines",
            [depends, [[s.variant, s.digest] for s in beside]],
            Baselines,
            lambda: measured_baselines(gauge, run, beside, load_sets),
        ),
        sweep=parts.get("sweep", depends, Sweep, lambda: swept(subject, settings, gauge)),
        encoders=parts.get(
            "encoders", depends, Encoders, lambda: compared(subject, settings, gauge)
        ),
        marginal=parts.get(
            "marginal", depends, Marginal, lambda: marginalised(subject, settings, gauge)
        ),
        decoders=parts.get("decoders", depends, Decoders, lambda: translated(subject, settings)),
        calibration=parts.get(
            "calibration",
            depends,
            Calibration,
            lambda: calibration_curve(gauge, subject.tasks, sets.train, settings.seed),
        ),
        parity=parts.get(
            "parity",
            [subject.digest, settings.parity_checks],
            Parity,
            lambda: ranks.from_first(
                # On the CPU, as a service computes.
                lambda: checked(
                    run.recipe,
                    load_network(run.recipe, run.checkpoint),
                    tensors,
                    sets,
                    settings.parity_checks,
                    gauge.show,
                )
            ),
        ),
    )


def evaluate_model(
    model: PublishedModel, settings: Settings, folder: Path, ranks: Ranks, show: Show
) -> RunResults:
    """What can be known of a published model alone: control, decoders, and what is predicted."""
    subject = published_subject(model)
    parts = Parts(folder / subject.name / "parts", ranks)
    depends = [subject.digest, asdict(settings)]
    return RunResults(
        name=subject.name,
        kind="model",
        digest=subject.digest,
        epochs=subject.epochs,
        tasks=subject.tasks,
        test_images=0,
        full_gmacs=subject.full_gmacs,
        smallest_gmacs=subject.gmacs(subject.space.smallest()),
        predictor=_fitted_figures(subject),
        answers=parts.get(
            "answers", depends, Answers, lambda: answered(subject, settings, None, show)
        ),
        sweep=parts.get("sweep", depends, Sweep, lambda: swept(subject, settings, None)),
        decoders=parts.get("decoders", depends, Decoders, lambda: translated(subject, settings)),
    )


def _fitted_figures(subject: Subject) -> PredictorFigures:
    return PredictorFigures(**asdict(subject.quality))


def _fitted(subject: Subject) -> str:
    """Tells one fit of the predictor from another, which searches would answer otherwise by."""
    layers = (*subject.predictor.trunk, subject.predictor.heads)
    weights = b"".join(w.tobytes() for layer in layers for w in layer)
    return hashlib.sha256(weights).hexdigest()

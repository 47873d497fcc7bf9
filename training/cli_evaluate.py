"""``slimdial-train evaluate``: the paper's tables and figures of a run or a published model."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from model_store.published import ModelStore, default_root
from training.configs import recipes
from training.console import errors, progress, show_result
from training.data.load import DataSets, load
from training.evaluation.overview import overview
from training.evaluation.resolve import resolve
from training.evaluation.run import evaluate_all
from training.evaluation.settings import Settings
from training.evaluation.subject import Run
from training.evaluation.targets import targets
from training.options import DataOption, JsonOption, RunsOption, StoreOption
from training.own import own
from training.ranks import started
from training.recipe import Recipe


def evaluate(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN|MODEL...",
            help="A recipe with its run, its seeds and its baselines; a run folder; or a published "
            "model. Several must be of one recipe.",
        ),
    ],
    data: DataOption = Path("data"),
    runs: RunsOption = Path("runs"),
    root: StoreOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Default: evaluation/ and the recipe's name.")
    ] = None,
    budgets: Annotated[
        list[float] | None,
        typer.Option("--budget", help="A share of the full GMACs; repeat it. Default: 1 and 0.44."),
    ] = None,
    preferences: Annotated[
        int, typer.Option(min=2, max=24, help="Preferences to sample; the paper has 20.")
    ] = Settings.preferences,
    images: Annotated[
        int | None, typer.Option(min=1, help="Test images to measure on; default: all.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure a trained SuperNet in the paper's tables and figures, and report them.

    Interrupted, it goes on where it was when called again. Under torchrun, the processes it starts
    share the measuring.
    """
    with errors(), started() as ranks, progress(ranks.first) as show:
        settings = Settings(preferences=preferences, images=images)
        settings = replace(settings, shares=tuple(budgets)) if budgets else settings
        known = {**recipes(), "own": lambda: own(data)}
        store = ModelStore(root or default_root())
        found = [resolve(name, known, runs, store) for name in names]
        subjects = [s for each in found for s in (each if isinstance(each, list) else [each])]
        first = subjects[0]
        name = first.name.recipe if isinstance(first, Run) else first.manifest.name
        folder = out or Path("evaluation") / name

        def load_sets(recipe: Recipe) -> DataSets:
            with ranks.one_a_machine_first():
                return load(recipe, data, lambda done, n: show("rendering scenes", done, n))

        results = evaluate_all(subjects, settings, folder, load_sets, ranks, show)
    if ranks.first:
        report = folder / "report.md"
        lines = [f"{t.verdict:8} {t.what}" for t in targets(results)]
        show_result(
            {"report": str(report), **overview(results)},
            as_json,
            "\n".join([*lines, f"report: {report}"]),
        )

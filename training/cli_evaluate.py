"""``slimdial-train evaluate``."""

from dataclasses import replace
from pathlib import Path

from model_store.published import ModelStore, PublishedModel, default_root, open_model
from training.cli_data import known, loaded
from training.console import progress, show_result
from training.data.load import DataSets
from training.evaluation.overview import overview
from training.evaluation.resolve import Known, resolve
from training.evaluation.run import evaluate_all
from training.evaluation.settings import Settings
from training.evaluation.subject import Run
from training.evaluation.targets import targets
from training.ranks import started
from training.recipe import Recipe


def run(
    names: list[str],
    data: Path,
    runs: Path,
    root: Path | None,
    out: Path | None,
    settings: Settings,
    as_json: bool,
) -> None:
    """Evaluates what the names mean, and writes the report.

    Raises:
        ValueError: a name means nothing that can be evaluated, or they are of different recipes.
        ModelError: a model is not usable.
    """
    with started() as ranks, progress(ranks.first) as show:
        store = ModelStore(root or default_root())
        subjects = [
            open_model(s) if isinstance(s, Path) else s
            for s in ranks.from_first(lambda: _meant(names, known(data), runs, store))
        ]
        folder = out or Path("evaluation") / _folder(subjects[0])

        def load_sets(recipe: Recipe) -> DataSets:
            return loaded(recipe, data, ranks, show)

        results = evaluate_all(subjects, settings, folder, load_sets, ranks, show)
    if ranks.first:
        report = folder / "report.md"
        lines = [f"{t.verdict:8} {t.what}" for t in targets(results)]
        show_result(
            {"report": str(report), **overview(results)},
            as_json,
            "\n".join([*lines, f"report: {report}"]),
        )


def _meant(names: list[str], recipes: Known, runs: Path, store: ModelStore) -> list[Run | Path]:
    """The runs that the names mean, and the folders of models; each once."""
    found: dict[Path, Run | Path] = {}
    for name in names:
        meant = resolve(name, recipes, runs, store)
        if isinstance(meant, list):
            found |= {run.folder.resolve(): run for run in meant}
        else:
            found[meant.path.resolve()] = meant.path
    return list(found.values())


def _folder(subject: Run | PublishedModel) -> str:
    """The folder's name for a model, or for the seeds of a recipe or of a variant."""
    if isinstance(subject, Run):
        return replace(subject.name, seed=0).folder
    return subject.manifest.name

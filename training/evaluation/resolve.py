"""What the arguments of ``slimdial-train evaluate`` name: runs, or a published model."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from model_store.published import ModelStore, PublishedModel, open_model
from training.evaluation.subject import Run
from training.recipe import Recipe
from training.variants import SUPERNETS, RunName

Known = Mapping[str, Callable[[], Recipe]]
"""Recipes by the name they are called by."""


def resolve(name: str, known: Known, runs: Path, store: ModelStore) -> list[Run] | PublishedModel:
    """The runs or the model that an argument names.

    A recipe's name means its run and those of other seeds beside it, ``NAME-seed1`` and so on; if
    there is none, the published model of that name. A run folder, by path or by name, means that
    run alone; a path with a manifest means that model.

    Raises:
        ValueError: it names nothing that can be evaluated; the error says what would.
        ModelError: the model is not usable.
    """
    path = Path(name)
    if (path / "manifest.json").is_file():
        return open_model(path)
    if (path / "current").is_file():
        return ModelStore(path.parent).open(path.name)
    if name in known:
        recipe = known[name]()
        seeds = sorted(runs.glob(f"{recipe.name}-seed*"), key=lambda p: (len(p.name), p.name))
        folders = [f for f in (runs / recipe.name, *seeds) if (f / "checkpoint.pt").is_file()]
        if folders:
            return [run_of(folder, known) for folder in folders]
        if name in store.names():
            return store.open(name)
        raise ValueError(
            f"{runs / recipe.name / 'checkpoint.pt'} does not exist; train first: "
            f"slimdial-train train {name}"
        )
    for folder in (path, runs / name):
        if folder.is_dir():
            return [run_of(folder, known)]
    if name in store.names():
        return store.open(name)
    raise ValueError(
        f"{name!r} is no run folder, recipe or model; there are the recipes {', '.join(known)}, "
        f"the models {', '.join(store.names()) or 'none'}, and run folders under {runs}"
    )


def run_of(folder: Path, known: Known) -> Run:
    """The run of a folder, whose name says recipe and seed.

    Raises:
        ValueError: the name is of no known recipe, or of a baseline.
    """
    for called, make in known.items():
        try:
            recipe = make()
        except ValueError:
            continue  # own, without a description of the data
        match = re.fullmatch(
            rf"{re.escape(recipe.name)}(-(?:static|single-.+|no-distillation|paper))??(?:-seed(\d+))?",
            folder.resolve().name,
        )
        if match is None:
            continue
        variant = match[1].removeprefix("-") if match[1] else None
        if variant is not None and variant not in SUPERNETS:
            raise ValueError(
                f"{folder} is a baseline, which {called!r} is compared with: "
                f"slimdial-train evaluate {called}"
            )
        name = RunName(recipe.name, variant, int(match[2] or 0), called)
        return Run(name, folder, name.applied(recipe), recipe)
    raise ValueError(
        f"{folder} is no run folder of a known recipe ({', '.join(known)}); run folders are named "
        "after their recipe and seed, such as rooms or rooms-seed1"
    )

"""What the commands' RECIPE and --data name."""

import shlex
from collections.abc import Callable
from pathlib import Path

from training.configs import recipes
from training.data.load import DataSets, load
from training.options import RUNS
from training.own import own
from training.ranks import Ranks
from training.recipe import Recipe


def known(data: Path) -> dict[str, Callable[[], Recipe]]:
    """Recipes by name; ``own`` is of the data in the folder."""
    return {**recipes(), "own": lambda: own(data)}


def recipe_named(name: str, data: Path) -> Recipe:
    """The recipe of that name.

    Raises:
        ValueError: there is none.
    """
    recipe = known(data).get(name)
    if recipe is None:
        raise ValueError(
            f"unknown recipe {name!r}; there are {', '.join(recipes())}, "
            "and own for the data that --data describes"
        )
    return recipe()


def folders(data: Path, runs: Path) -> str:
    """The options that name these folders, for the command that follows."""
    named = ["--data", str(data)]
    if runs != RUNS:
        named += ["--runs", str(runs)]
    return shlex.join(named)


def loaded(
    recipe: Recipe, data: Path, ranks: Ranks, show: Callable[[str, int, int], None]
) -> DataSets:
    """The data of a recipe, made by the first process of each machine where they are missing.

    Raises:
        ValueError: they are not there, or not as their layout says.
    """
    with ranks.one_a_machine_first():
        return load(recipe, data, lambda done, count: show("rendering scenes", done, count))

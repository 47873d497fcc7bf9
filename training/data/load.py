"""The data sets of a recipe: training and validation part, and the test split."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from training.data.cifar import load_cifar100
from training.data.dense import Rooms
from training.data.rooms import load_split
from training.data.source import Source, Subset, split
from training.machine import usable_cores
from training.recipe import Recipe

VALIDATION_SHARE = 0.1
"""The share of the training split that only the predictor sees (ECMT Sec. 5)."""

TEST_SCENES = 400
"""Rendered test scenes."""


@dataclass(frozen=True)
class DataSets:
    """What a recipe trains on, tunes its predictor on, and is judged on."""

    train: Subset
    validation: Subset
    test: Source
    labels: dict[str, tuple[str, ...]]
    """Class names by task, where the data set names them."""


def load(
    recipe: Recipe, folder: Path, on_render: Callable[[int, int], None] | None = None
) -> DataSets:
    """Loads a recipe's data.

    Args:
        recipe: the recipe; one that renders its own scenes caches them in the folder.
        folder: the data set's folder.
        on_render: called with the number of scenes rendered and the total.

    Raises:
        ValueError: the folder does not hold the recipe's data; the error names the file.
    """
    train: Source
    test: Source
    if recipe.scenes:
        workers = usable_cores()
        train = Rooms(load_split("train", recipe.scenes, recipe.seed, folder, workers, on_render))
        test = Rooms(load_split("test", TEST_SCENES, recipe.seed, folder, workers, on_render))
        labels: dict[str, tuple[str, ...]] = {}
    else:
        cifar = load_cifar100(folder, "train")
        tasks = tuple(t.name for t in recipe.network.tasks)
        if cifar.names != tasks:
            raise ValueError(
                f"{folder / 'meta'} names the tasks {', '.join(cifar.names)}; "
                f"the recipe {recipe.name!r} is for {', '.join(tasks)}"
            )
        labels = dict(zip(cifar.names, cifar.labels, strict=True))
        train, test = cifar, load_cifar100(folder, "test")
    fitting, validation = split(train, VALIDATION_SHARE, recipe.seed)
    return DataSets(fitting, validation, test, labels)

"""The data sets of a recipe: training and validation part, and the test split."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from training.data.celeba import load_celeba
from training.data.cifar import load_cifar100
from training.data.dense import Rooms
from training.data.nyud import load_nyud
from training.data.own import load_own
from training.data.pascal import load_pascal
from training.data.rooms import load_split
from training.data.source import Source, Subset, split
from training.machine import usable_cores
from training.recipe import LayoutName, Recipe

VALIDATION_SHARE = 0.1
"""The share of the training split that is validated on, and never trained on (ECMT Sec. 5)."""

MARKS: dict[LayoutName, str] = {
    "nyud": "gt_sets",
    "pascal": "JPEGImages",
    "celeba": "list_attr_celeba.txt",
    "cifar100": "meta",
    "own": "dataset.yaml",
}
"""What lies at the top of a layout's folder."""

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
    mark = folder / MARKS[recipe.layout]
    if not recipe.scenes and not mark.exists():
        raise ValueError(f"{mark} does not exist; --data names the folder of {mark.name}")
    train, test, labels = _parts(recipe, folder, on_render)
    fitting, validation = split(train, VALIDATION_SHARE, recipe.data_seed)
    return DataSets(fitting, validation, test, labels)


def _parts(
    recipe: Recipe, folder: Path, on_render: Callable[[int, int], None] | None
) -> tuple[Source, Source, dict[str, tuple[str, ...]]]:
    """Training split, test split, and the class names that the data set gives."""
    network = recipe.network
    if recipe.scenes:
        workers = usable_cores()
        train = load_split("train", recipe.scenes, recipe.data_seed, folder, workers, on_render)
        test = load_split("test", TEST_SCENES, recipe.data_seed, folder, workers, on_render)
        return Rooms(train), Rooms(test), {}
    if recipe.layout == "nyud":
        return load_nyud(folder, "train", network), load_nyud(folder, "val", network), {}
    if recipe.layout == "pascal":
        return load_pascal(folder, "train", network), load_pascal(folder, "val", network), {}
    if recipe.layout == "celeba":
        return load_celeba(folder, "train", network), load_celeba(folder, "test", network), {}
    if recipe.layout == "own":
        return load_own(folder, "train", network), load_own(folder, "test", network), {}
    cifar = load_cifar100(folder, "train")
    tasks = tuple(t.name for t in network.tasks)
    if len(tasks) == 1 and tasks[0] in cifar.names:
        cifar = cifar.of_task(tasks[0])
        return cifar, load_cifar100(folder, "test").of_task(tasks[0]), {}
    if cifar.names != tasks:
        raise ValueError(
            f"{folder / 'meta'} names the tasks {', '.join(cifar.names)}; "
            f"the recipe {recipe.name!r} is for {', '.join(tasks)}"
        )
    labels = dict(zip(cifar.names, cifar.labels, strict=True))
    return cifar, load_cifar100(folder, "test"), labels

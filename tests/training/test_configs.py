"""The recipes that ship."""

import re
from collections.abc import Callable
from dataclasses import FrozenInstanceError

import pytest

from training.configs import caltech100, cifar100, recipes, rooms
from training.data.rooms import CLASSES
from training.recipe import Recipe


@pytest.mark.parametrize("name", ["caltech100", "cifar100", "rooms"])
def test_a_recipe_bears_the_name_it_is_called_by(name: str) -> None:
    recipe = recipes()[name]()
    assert recipe.name == name
    assert recipe == recipes()[name]()
    with pytest.raises(FrozenInstanceError):
        recipe.seed = 1  # type: ignore[misc]


@pytest.mark.parametrize("make", [caltech100, cifar100])
def test_twenty_tasks_of_five_classes(make: Callable[[], Recipe]) -> None:
    recipe = make()
    names = [t.name for t in recipe.network.tasks]
    assert len(set(names)) == 20
    assert all(re.fullmatch(r"[a-z0-9_-]+", name) for name in names)
    assert {t.outputs for t in recipe.network.tasks} == {5}


def test_rooms_has_the_five_dense_tasks_with_their_channels() -> None:
    recipe = rooms()
    assert {t.name: (t.kind, t.outputs) for t in recipe.network.tasks} == {
        "semseg": ("segmentation", len(CLASSES)),
        "depth": ("depth", 1),
        "normals": ("normals", 3),
        "edges": ("edges", 1),
        "saliency": ("saliency", 1),
    }
    semseg = recipe.network.tasks[0]
    assert len(semseg.palette) == len(semseg.labels) == len(CLASSES)


def test_all_train_with_a_sandwich_of_four() -> None:
    for make in recipes().values():
        recipe = make()
        assert recipe.training.sandwich == 4
        assert recipe.network.divisor >= 4
        assert recipe.network.ratios[-1] == 1.0
        assert list(recipe.network.ratios) == sorted(set(recipe.network.ratios))

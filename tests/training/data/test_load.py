"""A recipe's data: which part is for what, and data of another recipe."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.training.data.cifar_files import write_cifar
from tests.training.tiny import classifying, dense
from training.data import load as loading
from training.data.load import load
from training.recipe import Recipe
from training.tasks import Task


def recipe(*tasks: str) -> Recipe:
    made = classifying()
    network = replace(made.network, tasks=tuple(Task(t, "classification", 3) for t in tasks))
    return replace(made, network=network)


def test_a_tenth_of_the_training_split_is_for_the_predictor(tmp_path: Path) -> None:
    write_cifar(tmp_path, count=30)
    data = load(recipe("water-animals", "flowers"), tmp_path)
    assert (len(data.train), len(data.validation), len(data.test)) == (27, 3, 30)
    assert not set(data.train.indices.tolist()) & set(data.validation.indices.tolist())
    assert data.labels == {
        "water-animals": ("crab", "eel", "goldfish"),
        "flowers": ("daisy", "fern"),
    }


def test_data_of_other_tasks_are_refused(tmp_path: Path) -> None:
    write_cifar(tmp_path)
    with pytest.raises(ValueError, match="names the tasks water-animals, flowers") as caught:
        load(recipe("trees", "flowers"), tmp_path)
    assert str(tmp_path / "meta") in str(caught.value)
    assert "the recipe 'tiny' is for trees, flowers" in str(caught.value)


def test_rooms_are_rendered_once_and_cached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "TEST_SCENES", 2)
    monkeypatch.setattr(loading, "usable_cores", lambda: 1)
    rendered: list[tuple[int, int]] = []
    rooms = replace(dense(), scenes=4)
    data = load(rooms, tmp_path, lambda done, count: rendered.append((done, count)))
    assert rendered == [(1, 4), (2, 4), (3, 4), (4, 4), (1, 2), (2, 2)]
    again = load(rooms, tmp_path, lambda *_: rendered.append((0, 0)))
    assert (0, 0) not in rendered
    assert len(data.train) + len(data.validation) == 4
    assert torch.equal(data.test.pixels(torch.arange(2)), again.test.pixels(torch.arange(2)))
    assert set(data.test.batch(torch.arange(1)).targets) == {t.name for t in rooms.network.tasks}

"""What an argument names."""

from pathlib import Path

import pytest

from model_store.published import ModelStore, PublishedModel, default_root
from tests.training.tiny import classifying
from training.evaluation.resolve import Known, resolve
from training.evaluation.subject import Run
from training.recipe import Recipe
from training.variants import RunName

SHIPPED = ModelStore(default_root())


def undescribed() -> Recipe:
    raise ValueError("dataset.yaml does not exist")


KNOWN: Known = {"own": undescribed, "tiny": classifying}


def folder(runs: Path, name: str) -> Path:
    (runs / name).mkdir()
    (runs / name / "checkpoint.pt").touch()
    return runs / name


def names(found: list[Run] | PublishedModel) -> list[str]:
    assert isinstance(found, list)
    return [run.folder.name for run in found]


def test_a_recipe_means_its_run_and_its_seeds(tmp_path: Path) -> None:
    for name in ("tiny-seed10", "tiny-seed2", "tiny", "tiny-static", "other"):
        folder(tmp_path, name)
    (tmp_path / "tiny-seed3").mkdir()  # nothing was trained there
    found = resolve("tiny", KNOWN, tmp_path, SHIPPED)
    assert names(found) == ["tiny", "tiny-seed2", "tiny-seed10"]
    assert isinstance(found, list)
    assert [(r.recipe.seed, r.base.seed, r.name.seed) for r in found] == [
        (3, 3, 0),
        (2, 3, 2),
        (10, 3, 10),
    ]


def test_a_run_folder_means_that_run_alone(tmp_path: Path) -> None:
    for name in ("tiny", "tiny-seed2"):
        path = folder(tmp_path, name)
        assert names(resolve(str(path), KNOWN, tmp_path / "elsewhere", SHIPPED)) == [name]
    assert names(resolve("tiny-seed2", KNOWN, tmp_path, SHIPPED)) == ["tiny-seed2"]


@pytest.mark.parametrize("path", ["rooms", "rooms/1"])
def test_a_model_is_found_by_path(tmp_path: Path, path: str) -> None:
    found = resolve(str(default_root() / path), KNOWN, tmp_path, SHIPPED)
    assert isinstance(found, PublishedModel)
    assert found.manifest.name == "rooms"


@pytest.mark.parametrize("known", [KNOWN, {"rooms": classifying}])
def test_a_model_is_found_by_name_where_there_is_no_run(tmp_path: Path, known: Known) -> None:
    assert isinstance(resolve("rooms", known, tmp_path, SHIPPED), PublishedModel)


def test_a_recipe_without_a_run_is_to_be_trained(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="train first: slimdial-train train tiny") as caught:
        resolve("tiny", KNOWN, tmp_path, SHIPPED)
    assert str(tmp_path / "tiny" / "checkpoint.pt") in str(caught.value)


def test_nothing_else_can_be_evaluated(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'nothing' is no run folder, recipe or model") as caught:
        resolve("nothing", KNOWN, tmp_path, SHIPPED)
    for known in ("own, tiny", "caltech100, rooms", str(tmp_path)):
        assert known in str(caught.value)


def test_foreign_folders_are_refused(tmp_path: Path) -> None:
    folder(tmp_path, "holidays")
    with pytest.raises(ValueError, match="holidays is no run folder of a known recipe"):
        resolve("holidays", KNOWN, tmp_path, SHIPPED)


@pytest.mark.parametrize("variant", ["no-distillation", "paper"])
def test_a_supernet_trained_otherwise_is_evaluated_if_its_folder_is_named(
    tmp_path: Path, variant: str
) -> None:
    name = RunName("tiny", variant, 1, called="tiny")
    folder(tmp_path, name.folder)
    found = resolve(name.folder, KNOWN, tmp_path, SHIPPED)
    assert isinstance(found, list)
    assert [(r.name, r.recipe) for r in found] == [(name, name.applied(found[0].base))]


@pytest.mark.parametrize("name", ["tiny-static", "tiny-single-animals-seed1"])
def test_baselines_are_not_evaluated_themselves(tmp_path: Path, name: str) -> None:
    folder(tmp_path, name)
    with pytest.raises(ValueError, match=r"is a baseline, .* slimdial-train evaluate tiny"):
        resolve(name, KNOWN, tmp_path, SHIPPED)

"""Where the baselines of a run are looked for."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.evaluation.conftest import Evaluated, evaluated_recipe
from training import checkpoint
from training.evaluation.baselines import siblings
from training.evaluation.subject import Run
from training.ranks import Ranks
from training.recipe import MobileNetV2Config
from training.variants import RunName


@pytest.fixture
def runs(evaluated: Evaluated, tmp_path: Path) -> Path:
    """Only what this asks for is copied."""
    for folder in evaluated.runs.iterdir():
        (tmp_path / folder.name).mkdir()
        shutil.copy(folder / "checkpoint.pt", tmp_path / folder.name)
    return tmp_path


def run(runs: Path, seed: int = 0) -> Run:
    name, recipe = RunName("tiny", seed=seed), evaluated_recipe()
    return Run(name, runs / name.folder, name.applied(recipe), recipe)


def found(of: Run) -> dict[str, str | None]:
    """Variant to the folder it was found in."""
    return {s.variant: s.path.parent.name if s.path else None for s in siblings(of, 1, Ranks())}


def test_every_baseline_stands_in_a_folder_of_its_own(runs: Path) -> None:
    assert found(run(runs)) == {
        "static": "tiny-static",
        "single:water-animals": "tiny-single-water-animals",
        "single:flowers": "tiny-single-flowers",
        "no-distillation": "tiny-no-distillation",
    }


@pytest.mark.parametrize("variant", ["no-distillation", "paper"])
def test_no_distillation_is_compared_with_the_recipes_own_supernet_alone(
    runs: Path, variant: str
) -> None:
    name = RunName("tiny", variant)
    shutil.copytree(runs / "tiny", runs / name.folder, dirs_exist_ok=True)
    recipe = evaluated_recipe()
    variants = found(Run(name, runs / name.folder, name.applied(recipe), recipe))
    assert list(variants) == ["static", "single:water-animals", "single:flowers"]
    assert variants["static"] == "tiny-static"


def test_a_seed_has_its_own_baselines_or_those_of_the_recipe(runs: Path) -> None:
    shutil.copytree(runs / "tiny-static", runs / "tiny-static-seed1")
    assert found(run(runs, seed=1))["static"] == "tiny-static-seed1"
    assert found(run(runs, seed=1))["single:flowers"] == "tiny-single-flowers"
    assert found(run(runs))["static"] == "tiny-static"


def test_what_was_not_trained_is_missing_with_its_command(runs: Path) -> None:
    shutil.rmtree(runs / "tiny-single-flowers")
    (missing,) = [s for s in siblings(run(runs, seed=1), 1, Ranks()) if s.path is None]
    assert missing.options == "tiny --variant single:flowers --seed 1"
    called = replace(run(runs), name=RunName("tiny", called="own"))
    (missing,) = [s for s in siblings(called, 1, Ranks()) if s.path is None]
    assert missing.options == "own --variant single:flowers"


def test_what_is_still_in_training_is_missing(runs: Path) -> None:
    path = runs / "tiny-static" / "checkpoint.pt"
    checkpoint.save(path, checkpoint.load(path) | {"epoch": 0})
    assert found(run(runs))["static"] is None


def test_only_what_was_trained_for_as_long_is_compared(runs: Path) -> None:
    static = siblings(run(runs), 2, Ranks())[0]
    assert static.path is None
    assert static.options == "tiny --variant static --epochs 2"
    path = runs / "tiny-static" / "checkpoint.pt"
    state = checkpoint.load(path)
    checkpoint.save(path, state | {"epoch": 2})
    assert siblings(run(runs), 2, Ranks())[0].path is None, "of a schedule of one epoch"
    config = state["config"]
    longer = config | {"training": config["training"].replace("epochs=1,", "epochs=2,")}
    checkpoint.save(path, state | {"epoch": 2, "config": longer})
    assert siblings(run(runs), 2, Ranks())[0].path == path


def test_only_what_started_from_the_same_weights_is_compared(runs: Path) -> None:
    encoder = MobileNetV2Config()
    made = run(runs)
    torchvision = replace(made.base, network=replace(made.base.network, encoder=encoder))
    for folder in ("tiny", "tiny-static"):
        path = runs / folder / "checkpoint.pt"
        checkpoint.save(path, checkpoint.load(path) | {"weights": folder})
    static = siblings(replace(made, base=torchvision), 1, Ranks())[0]
    assert static.path is None
    assert static.options == "tiny --variant static --weights FILE"
    path = runs / "tiny-static" / "checkpoint.pt"
    checkpoint.save(path, checkpoint.load(path) | {"weights": "tiny"})
    assert siblings(made, 1, Ranks())[0].path == path


def test_a_baseline_trained_again_is_another_one(runs: Path) -> None:
    before = [s.digest for s in siblings(run(runs), 1, Ranks())]
    path = runs / "tiny-static" / "checkpoint.pt"
    checkpoint.save(path, checkpoint.load(path) | {"trained": "again"})
    after = [s.digest for s in siblings(run(runs), 1, Ranks())]
    assert before[0] != after[0]
    assert before[1:] == after[1:]

"""A run with its predictor and baselines, made and evaluated by the commands once."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.training.conftest import commanded_recipe
from tests.training.data.cifar_files import write_cifar
from training.cli import app
from training.evaluation.results import RunResults
from training.recipe import Recipe

PREFERENCES, IMAGES = 3, 30


def evaluated_recipe() -> Recipe:
    """As small as a run can be."""
    made = commanded_recipe()
    return replace(made, training=replace(made.training, epochs=1, batch_size=20))


def knowing(patch: pytest.MonkeyPatch) -> None:
    """The commands know the recipe ``tiny``, and no other."""
    patch.setattr("training.cli_data.recipes", lambda: {"tiny": evaluated_recipe})


def invoke(*arguments: object) -> Result:
    """Calls ``slimdial-train``."""
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


@dataclass(frozen=True)
class Evaluated:
    """A run with all its baselines, and what its evaluation printed and left."""

    data: Path
    runs: Path
    out: Path
    printed: dict[str, Any]

    def evaluate(self, *arguments: object, data: Path | None = None) -> Result:
        """Calls ``evaluate`` as it was called before."""
        places = ("--data", data or self.data, "--runs", self.runs)
        small = ("--images", IMAGES, "--preferences", PREFERENCES)
        return invoke("evaluate", *arguments, *places, *small)

    @property
    def results(self) -> RunResults:
        """What was found."""
        return RunResults.model_validate_json((self.out / "tiny" / "results.json").read_bytes())


@pytest.fixture(scope="session")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Evaluated:
    """Beside the run and its baselines there is another seed, without a predictor."""
    folder = tmp_path_factory.mktemp("evaluated")
    data, runs, out = folder / "data", folder / "runs", folder / "out"
    write_cifar(data, count=100)
    found = Evaluated(data, runs, out, {})
    commands: list[tuple[object, ...]] = [
        ("train", "tiny"),
        ("predictor", "tiny"),
        ("train", "tiny", "--seed", 1),
        ("train", "tiny", "--variant", "static"),
        ("train", "tiny", "--variant", "single:flowers"),
        ("train", "tiny", "--variant", "single:water-animals"),
        ("train", "tiny", "--variant", "no-distillation"),
    ]
    with pytest.MonkeyPatch.context() as patch:
        knowing(patch)
        for command in commands:
            result = invoke(*command, "--data", data, "--runs", runs)
            assert result.exit_code == 0, result.output
        result = found.evaluate(runs / "tiny", "--out", out, "--json")
        assert result.exit_code == 0, result.output
    return replace(found, printed=json.loads(result.stdout))

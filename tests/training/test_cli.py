"""The commands: what they print, and what they say when something is missing."""

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from model_store.published import ModelStore
from tests.training.conftest import CALIBRATION_IMAGES, Commanded, commanded_recipe
from tests.training.data.cifar_files import write_cifar
from training import checkpoint
from training.cli import app
from training.console import asked_to_stop
from training.data.load import load
from training.data.source import Batch, Subset
from training.recipe import PredictorConfig


class Terminated(Subset):
    """Data in whose midst the process is told to end."""

    def __init__(self, data: Subset) -> None:
        super().__init__(data.source, data.indices)

    def batch(self, indices_N: torch.Tensor) -> Batch:
        os.kill(os.getpid(), signal.SIGTERM)
        return super().batch(indices_N)


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


def test_help_does_not_wait_for_pytorch() -> None:
    script = "import sys, training.cli; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
    assert done.stdout == b"False\n"


@pytest.mark.parametrize("command", ["train", "predictor", "publish"])
def test_an_unknown_recipe_is_answered_with_the_known_ones(command: str) -> None:
    result = invoke(command, "imagenet")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "unknown recipe 'imagenet'; there are caltech100, cifar100, rooms" in result.stderr


def test_a_missing_data_folder_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "nowhere"
    result = invoke("train", "caltech100", "--data", folder, "--runs", tmp_path)
    assert result.exit_code == 1
    assert f"error: {folder / 'meta'} does not exist" in result.stderr.replace("\n", "")


@pytest.mark.parametrize("command", ["predictor", "publish"])
def test_without_a_checkpoint_the_next_step_is_training(command: str, tmp_path: Path) -> None:
    result = invoke(command, "caltech100", "--data", tmp_path, "--runs", tmp_path)
    assert result.exit_code == 1
    assert str(tmp_path / "caltech100" / "checkpoint.pt") in result.stderr
    assert "train first: slimdial-train train" in result.stderr


def test_without_a_predictor_the_next_step_is_fitting_one(
    commanded: Commanded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.cli_data.recipes", lambda: {"tiny": commanded_recipe})
    (tmp_path / "tiny").mkdir()
    trained = commanded.runs / "tiny" / "checkpoint.pt"
    (tmp_path / "tiny" / "checkpoint.pt").write_bytes(trained.read_bytes())
    result = invoke("publish", "tiny", "--data", commanded.data, "--runs", tmp_path)
    assert result.exit_code == 1
    missing = tmp_path / "tiny" / "predictor.safetensors"
    assert f"{missing} does not exist; fit the predictor first" in result.stderr


@pytest.mark.parametrize("spoiled", ["predictor.safetensors", "predictor.json"])
@pytest.mark.parametrize("content", ["", "{}", "half a fi"])
def test_a_spoiled_predictor_is_fitted_again(
    commanded: Commanded,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    spoiled: str,
    content: str,
) -> None:
    monkeypatch.setattr("training.cli_data.recipes", lambda: {"tiny": commanded_recipe})
    shutil.copytree(commanded.runs, tmp_path / "runs")
    (tmp_path / "runs" / "tiny" / spoiled).write_text(content)
    result = invoke("publish", "tiny", "--data", commanded.data, "--runs", tmp_path / "runs")
    assert result.exit_code == 1
    assert str(tmp_path / "runs" / "tiny") in result.stderr
    assert "fit it again: slimdial-train predictor" in result.stderr


def test_a_predictor_of_another_training_is_not_published(
    commanded: Commanded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.cli_data.recipes", lambda: {"tiny": commanded_recipe})
    shutil.copytree(commanded.runs, tmp_path / "runs")
    path = tmp_path / "runs" / "tiny" / "checkpoint.pt"
    checkpoint.save(path, checkpoint.load(path) | {"trained": "again"})
    result = invoke("publish", "tiny", "--data", commanded.data, "--runs", tmp_path / "runs")
    assert result.exit_code == 1
    assert "has since been trained again" in result.stderr


@pytest.mark.parametrize("images", ["1", "5000", "many"])
def test_impossible_numbers_of_images_are_refused(images: str) -> None:
    assert invoke("publish", "caltech100", "--images", images).exit_code == 2


def test_three_commands_make_a_model(commanded: Commanded) -> None:
    """The numbers are what each printed with --json."""
    train, predictor, publish = (commanded.results[c] for c in ("train", "predictor", "publish"))
    assert [e["epoch"] for e in train["epochs"]] == [1, 2, 3]
    assert Path(train["checkpoint"]).is_file()
    assert (predictor["samples"], predictor["held_out"]) == (18, 2)
    assert set(predictor["loss_tau"]) == {"water-animals", "flowers"}
    assert Path(publish["path"]) == commanded.model.path
    assert publish["report"] == commanded.model.report
    assert 0.0 <= publish["parity"] <= 1e-4
    assert len(commanded.model.calibration_NHWC) == CALIBRATION_IMAGES


def test_a_finished_training_is_not_repeated(
    commanded: Commanded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.cli_data.recipes", lambda: {"tiny": commanded_recipe})
    result = invoke("train", "tiny", "--data", commanded.data, "--runs", commanded.runs)
    assert result.exit_code == 0
    folders = f"--data {commanded.data} --runs {commanded.runs}"
    assert f"next: slimdial-train predictor tiny {folders}" in result.stdout.replace("\n", " ")


def test_results_for_people_name_the_next_step(
    commanded: Commanded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.cli_data.recipes", lambda: {"tiny": commanded_recipe})
    result = invoke("predictor", "tiny", "--data", commanded.data, "--runs", commanded.runs)
    assert result.exit_code == 0
    assert "water-animals" in result.stdout
    assert "next: slimdial-train publish tiny" in result.stdout


def test_the_papers_predictor_has_samples_of_its_own(
    commanded: Commanded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """2,000 of them are too many for a test."""
    fewer = replace(PredictorConfig.as_published(4), samples=30)
    monkeypatch.setattr(PredictorConfig, "as_published", lambda _: fewer)
    monkeypatch.setattr("training.cli_data.recipes", lambda: {"tiny": commanded_recipe})
    shutil.copytree(commanded.runs, tmp_path / "runs")
    folder = tmp_path / "runs" / "tiny"
    before = (folder / "samples.jsonl").read_bytes()
    folders = ("--data", commanded.data, "--runs", tmp_path / "runs")
    result = json.loads(invoke("predictor", "tiny", "--paper", *folders, "--json").stdout)
    assert (result["samples"], result["held_out"]) == (27, 3)
    assert (folder / "samples.jsonl").read_bytes() == before
    assert len((folder / "samples-paper.jsonl").read_text().splitlines()) == 30


def test_models_are_published_where_asked(commanded: Commanded) -> None:
    assert ModelStore(commanded.store.root).versions("tiny") == ("1",)


def test_a_published_version_is_refused_before_images_are_made(
    commanded: Commanded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def synthesised(*_: object) -> None:
        raise AssertionError("minutes of work in vain")

    monkeypatch.setattr("training.cli_data.recipes", lambda: {"tiny": commanded_recipe})
    monkeypatch.setattr("training.cli_publish.calibration_images", synthesised)
    folders = ("--data", commanded.data, "--runs", commanded.runs, "--store", commanded.store.root)
    result = invoke("publish", "tiny", *folders)
    assert result.exit_code == 1
    assert "is published already" in result.stderr


@pytest.mark.parametrize(
    ("name", "after"),
    [("no-distillation", "evaluate tiny"), ("paper", "predictor tiny --variant paper --seed 1")],
)
def test_a_variant_of_another_length_goes_the_whole_way(
    name: str, after: str, commanded: Commanded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.cli_data.recipes", lambda: {"tiny": commanded_recipe})
    folders = ("--data", commanded.data, "--runs", tmp_path)
    variant = ("--variant", name, "--seed", 1)
    trained = ("train", "tiny", *variant, *folders, "--epochs", 1)
    result = invoke(*trained, "--json")
    assert [e["epoch"] for e in json.loads(result.stdout)["epochs"]] == [1]
    assert f"next: slimdial-train {after}" in invoke(*trained).stdout
    result = invoke("predictor", "tiny", *variant, *folders)
    assert f"next: slimdial-train publish tiny --variant {name} --seed 1" in result.stdout
    store = ("--store", tmp_path / "store", "--images", CALIBRATION_IMAGES)
    assert invoke("publish", "tiny", *variant, *folders, *store).exit_code == 0
    assert ModelStore(tmp_path / "store").versions("tiny") == ("1",)


def test_a_finished_training_is_not_made_longer(
    commanded: Commanded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.cli_data.recipes", lambda: {"tiny": commanded_recipe})
    folders = ("--data", commanded.data, "--runs", commanded.runs)
    result = invoke("train", "tiny", *folders, "--epochs", 9)
    assert result.exit_code == 1
    assert "written with another training configuration" in result.stderr.replace("\n", " ")


@pytest.mark.parametrize("command", ["predictor", "publish"])
def test_networks_are_cut_from_supernets_alone(command: str, tmp_path: Path) -> None:
    result = invoke(command, "rooms", "--variant", "static", "--runs", tmp_path)
    assert result.exit_code == 1
    assert "there are no-distillation and paper" in result.stderr.replace("\n", " ")


def test_sigterm_saves_and_the_run_goes_on(
    commanded: Commanded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes as a batch of the first epoch is made."""
    recipe = commanded_recipe()
    sets = load(recipe, commanded.data)
    monkeypatch.setattr("training.cli_data.recipes", lambda: {"tiny": lambda: recipe})
    monkeypatch.setattr(
        "training.cli_data.load", lambda *_: replace(sets, train=Terminated(sets.train))
    )
    command = ("train", "tiny", "--runs", tmp_path, "--workers", 1)
    result = invoke(*command)
    assert result.exit_code == 0
    path = tmp_path / "tiny" / "checkpoint.pt"
    assert f"stopped: {path}" in result.stdout
    steps = checkpoint.load(path)["step"]
    assert steps >= 1
    monkeypatch.setattr("training.cli_data.load", lambda *_: sets)
    result = invoke(*command)
    assert result.exit_code == 0
    assert f"trained: {path}" in result.stdout
    ours, theirs = (
        checkpoint.load(p / "tiny" / "checkpoint.pt") for p in (tmp_path, commanded.runs)
    )
    for name, weight in theirs["network"].items():
        assert torch.equal(ours["network"][name], weight), name
    metrics = (tmp_path / "tiny" / "metrics.jsonl").read_text().splitlines()
    done = [json.loads(line)["step"] for line in metrics if "learning_rate" in line]
    assert done == list(range(1, len(done) + 1))


def test_a_run_that_another_process_was_asked_to_stop_is_not_called_trained(
    commanded: Commanded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All agree to stop in the first epoch; this process was not asked itself."""
    answers = iter([True])
    monkeypatch.setattr("training.cli_data.recipes", lambda: {"tiny": commanded_recipe})
    monkeypatch.setattr(
        "training.cli_train.asked_to_stop", lambda: nullcontext(lambda: next(answers, False))
    )
    result = invoke("train", "tiny", "--data", commanded.data, "--runs", tmp_path)
    assert "stopped:" in result.stdout
    assert "next:" not in result.stdout


@pytest.mark.parametrize("command", ["predictor", "publish"])
def test_a_network_is_not_measured_beside_other_images(
    commanded: Commanded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr("training.cli_data.recipes", lambda: {"tiny": commanded_recipe})
    write_cifar(tmp_path, count=101)
    store = ("--store", tmp_path / "store") if command == "publish" else ()
    result = invoke(command, "tiny", "--data", tmp_path, "--runs", commanded.runs, *store)
    assert result.exit_code == 1
    assert "was trained on 90 images" in result.stderr.replace("\n", " ")


def test_a_run_leaves_its_folder(commanded: Commanded) -> None:
    names = {p.name for p in (commanded.runs / "tiny").iterdir()}
    assert names >= {"config.json", "environment.json", "metrics.jsonl", "events"}
    assert names >= {"checkpoint.pt", "best.pt", "samples.jsonl"}


def test_sigterm_is_heard_without_ending_the_process() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with asked_to_stop() as asked:
        assert not asked()
        os.kill(os.getpid(), signal.SIGTERM)
        assert asked()
    assert signal.getsignal(signal.SIGTERM) is before

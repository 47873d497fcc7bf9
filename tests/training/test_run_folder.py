"""A run's folder: every step once, however often the run was interrupted."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tensorboardX.proto.event_pb2 import Event

from tests.training.tiny import classifying
from training.bar import Bar
from training.engine import Engine
from training.loop import EpochReport, StepReport
from training.machine import environment
from training.ranks import Ranks
from training.run_folder import RunFolder
from training.sandwich import StepLosses

STEPS = 3


def step(epoch: int, index: int) -> StepReport:
    losses = StepLosses(2.0 + index, 3.0, 0.5, {"animals": 1.5, "flowers": 0.25})
    return StepReport(epoch, index, STEPS, losses, learning_rate=1e-3)


def epoch(number: int) -> EpochReport:
    validation = {"animals": 1.25} if number == 2 else None
    return EpochReport(number, 2, 2.0, 3.0, 0.5, {"animals": 1.5}, validation, number == 2)


def opened(folder: Path) -> RunFolder:
    return RunFolder(folder, classifying(), Engine(workers=2), environment(Ranks()))


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An epoch of three steps, and two steps of the next, the second of them cut off."""
    run = opened(tmp_path / "run")
    for index in range(STEPS):
        run.step(step(0, index), 100.0)
    run.epoch(epoch(1), STEPS)
    for index in range(2):
        run.step(step(1, index), 100.0)
    run.close()
    path = tmp_path / "run" / "metrics.jsonl"
    path.write_text(path.read_text()[:-20])
    return tmp_path / "run"


def test_steps_and_epochs_are_recorded(folder: Path) -> None:
    (folder / "metrics.jsonl").write_text(
        "\n".join((folder / "metrics.jsonl").read_text().splitlines()[:-1])
    )
    found = lines(folder)
    assert [line["step"] for line in found] == [1, 2, 3, 3, 4]
    assert found[1] == {
        "step": 2,
        "epoch": 1,
        "largest": 3.0,
        "smallest": 3.0,
        "distillation": 0.5,
        "tasks": {"animals": 1.5, "flowers": 0.25},
        "learning_rate": 1e-3,
        "images_per_second": 100.0,
    }
    assert (found[3]["epochs"], found[3]["validation"], found[3]["best"]) == (2, None, False)


def test_a_resumed_run_takes_up_where_its_checkpoint_is(folder: Path) -> None:
    """Of the step after the first epoch: what was reported beyond it is reported again."""
    run = opened(folder)
    for index in range(STEPS):
        run.step(step(1, index), 50.0)
    run.epoch(epoch(2), STEPS)
    run.close()
    found = lines(folder)
    assert [line["step"] for line in found] == [1, 2, 3, 3, 4, 5, 6, 6]
    assert [line.get("images_per_second") for line in found[4:6]] == [50.0, 50.0]
    assert found[-1]["validation"] == {"animals": 1.25}


def test_the_configuration_and_the_environment_are_kept(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    assert config["recipe"]["training"]["batch_size"] == 8
    assert config["recipe"]["network"]["tasks"][0]["name"] == "animals"
    assert config["engine"]["workers"] == 2
    found = json.loads((folder / "environment.json").read_text())
    assert found["packages"]["torch"]
    assert (found["ranks"], found["device"]) == (1, "cpu")
    assert found["cores"] >= 1


def test_tensorboard_has_the_curves(folder: Path) -> None:
    (file,) = (folder / "events").iterdir()
    content, tags = file.read_bytes(), dict[str, list[int]]()
    while content:
        length = int.from_bytes(content[:8], "little")
        event = Event.FromString(content[12 : 12 + length])
        for value in event.summary.value:
            tags.setdefault(value.tag, []).append(event.step)
        content = content[16 + length :]
    assert tags["train/largest"] == tags["train/tasks/animals"] == [1, 2, 3, 4, 5]
    assert tags["epoch/smallest"] == [3]
    assert "train/learning_rate" in tags


def test_nothing_is_written_before_the_first_step(tmp_path: Path) -> None:
    opened(tmp_path / "run").close()
    assert not (tmp_path / "run").exists()


def test_the_bar_says_losses_by_task_images_a_second_and_time_left() -> None:
    console = Console(width=120, record=True, file=StringIO())
    bar = Bar(console, epochs=2, batch_size=8)
    assert bar.step(step(0, 1)) > 0
    bar.step(step(0, 2))
    bar.epoch(epoch(2))
    console.print(bar.steps, bar.losses)
    text = console.export_text()
    assert "epoch 2/2  loss 2.000 (largest) 3.000 (smallest)" in text
    assert "validation  animals 1.250  best so far" in text
    assert "epoch 1/2" in text
    assert "3/6" in text
    assert "images/s" in text
    assert "0:00:0" in text
    assert "animals 1.500  flowers 0.250" in text

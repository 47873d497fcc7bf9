"""Training runs: resumed to the same result, and only by the recipe they were begun with."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.training.tiny import Noise, classifying
from training.loop import EpochReport, StepReport, build, load_network, train
from training.recipe import Recipe
from training.supernet import SuperNet

RECIPE = classifying()
IMAGES = 20
"""Two batches of 8 an epoch, and 4 images that are dropped."""


class Crashed(Exception):
    pass


class Log:
    """What a run reported."""

    def __init__(self) -> None:
        self.steps: list[StepReport] = []
        self.epochs: list[EpochReport] = []

    def on_epoch(self, report: EpochReport, _: SuperNet) -> None:
        self.epochs.append(report)


def run(
    path: Path, log: Log, recipe: Recipe = RECIPE, stop: Callable[[], bool] = lambda: False
) -> SuperNet:
    return train(recipe, Noise.of(recipe, IMAGES), path, log.steps.append, log.on_epoch, stop)


def assert_same_weights(first: SuperNet, second: SuperNet) -> None:
    ours, theirs = first.state_dict(), second.state_dict()
    assert set(ours) == set(theirs)
    for name in ours:
        assert torch.equal(ours[name], theirs[name]), name


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[SuperNet, Log, Path]:
    path = tmp_path_factory.mktemp("uninterrupted") / "checkpoint.pt"
    log = Log()
    return run(path, log), log, path


def test_a_run_reports_every_step_and_every_epoch(
    uninterrupted: tuple[SuperNet, Log, Path],
) -> None:
    _, log, _ = uninterrupted
    assert [(r.epoch, r.step, r.steps) for r in log.steps] == [
        (e, s, 2) for e in range(3) for s in range(2)
    ]
    assert [(r.epoch, r.epochs) for r in log.epochs] == [(1, 3), (2, 3), (3, 3)]
    first = [r.losses.largest for r in log.steps[:2]]
    assert log.epochs[0].largest == pytest.approx(sum(first) / 2)


def test_training_changes_the_weights(uninterrupted: tuple[SuperNet, Log, Path]) -> None:
    trained, _, path = uninterrupted
    name = "encoder.layer3.conv.weight"
    assert not torch.equal(trained.state_dict()[name], build(RECIPE).state_dict()[name])
    assert_same_weights(trained, load_network(RECIPE, path))


def test_a_stopped_run_goes_on_to_the_same_result(
    uninterrupted: tuple[SuperNet, Log, Path], tmp_path: Path
) -> None:
    network, expected, _ = uninterrupted
    path, log = tmp_path / "checkpoint.pt", Log()
    run(path, log, stop=lambda: True)
    assert len(log.epochs) == 1
    resumed = run(path, log)
    assert log.steps == expected.steps
    assert log.epochs == expected.epochs
    assert_same_weights(resumed, network)


def test_a_crashed_run_goes_on_from_its_last_epoch(
    uninterrupted: tuple[SuperNet, Log, Path], tmp_path: Path
) -> None:
    network, expected, _ = uninterrupted
    path, log = tmp_path / "checkpoint.pt", Log()

    def crash(report: StepReport) -> None:
        if (report.epoch, report.step) == (1, 1):
            raise Crashed

    with pytest.raises(Crashed):
        train(RECIPE, Noise.of(RECIPE, IMAGES), path, crash)
    resumed = run(path, log)
    assert log.steps == expected.steps[2:]
    assert_same_weights(resumed, network)


def test_a_finished_run_is_not_trained_further(
    uninterrupted: tuple[SuperNet, Log, Path],
) -> None:
    network, _, path = uninterrupted
    log = Log()
    assert_same_weights(run(path, log), network)
    assert not log.steps


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("seed", replace(RECIPE, seed=4)),
        ("training", replace(RECIPE, training=replace(RECIPE.training, distillation=0.2))),
        ("network", replace(RECIPE, network=replace(RECIPE.network, divisor=8))),
    ],
)
def test_a_checkpoint_of_another_configuration_is_refused(
    uninterrupted: tuple[SuperNet, Log, Path], part: str, other: Recipe
) -> None:
    path = uninterrupted[2]
    with pytest.raises(ValueError, match=f"another {part} configuration") as caught:
        run(path, Log(), other)
    assert str(path) in str(caught.value)
    assert "'tiny'" in str(caught.value)


def test_only_the_network_matters_to_load_it(uninterrupted: tuple[SuperNet, Log, Path]) -> None:
    network, _, path = uninterrupted
    other = replace(RECIPE, seed=4, training=replace(RECIPE.training, epochs=9))
    assert_same_weights(load_network(other, path), network)
    with pytest.raises(ValueError, match="another network configuration"):
        load_network(replace(RECIPE, network=replace(RECIPE.network, ratios=(0.5, 1.0))), path)


def test_a_truncated_checkpoint_is_not_trained_over(
    uninterrupted: tuple[SuperNet, Log, Path], tmp_path: Path
) -> None:
    path = tmp_path / "checkpoint.pt"
    content = uninterrupted[2].read_bytes()[:-1000]
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"checkpoint\.pt is not a readable checkpoint"):
        run(path, Log())
    assert path.read_bytes() == content


def test_too_few_images_for_a_batch_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="7 images do not fill one batch of 8"):
        train(RECIPE, Noise.of(RECIPE, 7), tmp_path / "checkpoint.pt")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [("sandwich", 1, "at least 2 networks, found 1"), ("epochs", 0, "at least 1 epoch")],
)
def test_impossible_trainings_are_refused(field: str, value: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(RECIPE.training, **{field: value})

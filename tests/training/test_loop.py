"""Training runs: resumed to the same result, and only by the recipe they were begun with."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.tiny import Noise, classifying, dense
from training import checkpoint
from training.engine import Engine
from training.loop import EpochReport, StepReport, build, load_network, train
from training.ranks import Ranks
from training.recipe import Recipe
from training.sandwich import StepLosses, accumulate_gradients
from training.state import check_trained_on
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
    data, validation = Noise.of(recipe, IMAGES), Noise.of(recipe, 6, seed=1)
    return train(recipe, data, path, log.steps.append, log.on_epoch, stop, validation)


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
    """Stopped in the middle of the first epoch, and at the end of the second."""
    network, expected, _ = uninterrupted
    path, log = tmp_path / "checkpoint.pt", Log()
    run(path, log, stop=lambda: True)
    assert (len(log.steps), len(log.epochs)) == (1, 0)
    run(path, log, stop=lambda: len(log.steps) == 3)
    assert (len(log.steps), len(log.epochs)) == (4, 2)
    resumed = run(path, log)
    assert log.steps == expected.steps
    assert log.epochs == expected.epochs
    assert_same_weights(resumed, network)


def test_a_run_ends_with_the_step_in_which_it_is_asked_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def interrupted(*arguments: Any) -> StepLosses:  # noqa: ANN401 - whatever a step is given
        asked.append("in the midst of a step")
        return accumulate_gradients(*arguments)

    monkeypatch.setattr("training.loop.accumulate_gradients", interrupted)
    log = Log()
    run(tmp_path / "checkpoint.pt", log, stop=lambda: bool(asked))
    assert len(log.steps) == 1


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


def test_the_lowest_validation_loss_is_kept(
    uninterrupted: tuple[SuperNet, Log, Path],
) -> None:
    """The only validation of so short a run is the last epoch's."""
    network, log, path = uninterrupted
    assert [e.validation is None for e in log.epochs] == [True, True, False]
    assert log.epochs[-1].best
    assert set(log.epochs[-1].validation or {}) == {"animals", "flowers"}
    assert_same_weights(load_network(RECIPE, path.with_name("best.pt")), network)


def test_checkpoints_of_whole_epochs_only_can_be_resumed(
    uninterrupted: tuple[SuperNet, Log, Path], tmp_path: Path
) -> None:
    """As earlier versions wrote them, with the state of a schedule."""
    _, expected, whole = uninterrupted
    path, log = tmp_path / "checkpoint.pt", Log()
    run(path, Log(), stop=lambda: True)
    run(path, log, stop=lambda: True)
    state = checkpoint.load(path)
    keys = ("config", "epoch", "network", "optimizer")
    checkpoint.save(path, {k: state[k] for k in keys} | {"schedule": {"last_epoch": 2}})
    run(path, log, stop=lambda: True)
    assert [*log.steps] == expected.steps[1:3]
    assert checkpoint.load(path)["images"] == checkpoint.load(whole)["images"] == IMAGES


@pytest.mark.parametrize("other", [Noise.of(RECIPE, 21), Noise.of(RECIPE, IMAGES, seed=9)])
def test_other_images_are_refused(uninterrupted: tuple[SuperNet, Log, Path], other: Noise) -> None:
    """Also by whoever would measure the network on what is held out beside them."""
    message = f"trained on 20 images, and the {len(other)} that there are to train on now are other"
    with pytest.raises(ValueError, match=message):
        train(RECIPE, other, uninterrupted[2])
    with pytest.raises(ValueError, match=message):
        check_trained_on(other, uninterrupted[2], Ranks())
    check_trained_on(Noise.of(RECIPE, IMAGES), uninterrupted[2], Ranks())


def test_recomputed_activations_change_no_weights(tmp_path: Path) -> None:
    recipe = replace(dense(), training=replace(dense().training, epochs=1))
    data, ends = Noise.of(recipe, 8), [Engine(), Engine(checkpointing=True, workers=2)]
    networks = [
        train(recipe, data, tmp_path / f"{i}" / "checkpoint.pt", engine=engine)
        for i, engine in enumerate(ends)
    ]
    assert_same_weights(*networks)


def test_the_deterministic_mode_ends_with_the_run(tmp_path: Path) -> None:
    recipe = replace(RECIPE, training=replace(RECIPE.training, epochs=1))
    seen: list[bool] = []
    train(
        recipe,
        Noise.of(recipe, 8),
        tmp_path / "checkpoint.pt",
        lambda _: seen.append(torch.are_deterministic_algorithms_enabled()),
        engine=Engine(deterministic=True),
    )
    assert seen == [True]
    assert not torch.are_deterministic_algorithms_enabled()


def test_batches_are_made_by_someone() -> None:
    with pytest.raises(ValueError, match="at least 1 thread"):
        Engine(workers=0)


def test_more_ranks_than_images_in_a_batch_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="8 images cannot be spread over 9 ranks"):
        train(RECIPE, Noise.of(RECIPE, 9), tmp_path / "checkpoint.pt", ranks=Ranks(0, 9))


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
    ("changed", "message"),
    [({"sandwich": 0}, "at least 1 network, found 0"), ({"epochs": 0}, "at least 1 epoch")],
)
def test_impossible_trainings_are_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(RECIPE.training, **changed)

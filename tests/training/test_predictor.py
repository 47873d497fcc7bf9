"""The accuracy predictor: what is measured, kept over interruptions, and learned from it."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from model_store.subnet.cost import CostModel
from model_store.subnet.predictor import AccuracyPredictor, tensor_shapes
from model_store.subnet.space import Architecture, SearchSpace
from tests.training.tiny import classifying
from training.configs import caltech100, rooms
from training.evaluate import Quality
from training.predictor import PredictorQuality, Sample, collect, fit, sampled
from training.recipe import PredictorConfig, Recipe
from training.supernet import cost_model, search_space

TASKS = ("animals", "flowers")
SPACE = search_space(classifying().network)
CONFIG = PredictorConfig(samples=200, calibration_images=1)


def truth(space: SearchSpace, architecture: Architecture) -> Quality:
    """A smooth quality: the tasks care for different groups, with diminishing returns."""
    ratios_G = space.ratios_of(np.array([architecture.channels]))[0]
    losses = {}
    for index, task in enumerate(TASKS):
        weights_G = np.random.default_rng(index).random(len(ratios_G))
        losses[task] = 0.4 + 2.0 * float(np.exp(-3.0 * ratios_G @ weights_G / weights_G.sum()))
    return Quality(losses, {task: 1.0 - loss / 3.0 for task, loss in losses.items()})


class Measurer:
    """Measures by :func:`truth`, and breaks off when asked to."""

    def __init__(self, fail_at: int | None = None) -> None:
        self.measured: list[Architecture] = []
        self.fail_at = fail_at

    def __call__(self, architecture: Architecture) -> Quality:
        if len(self.measured) == self.fail_at:
            raise KeyboardInterrupt
        self.measured.append(architecture)
        return truth(SPACE, architecture)


# ---- sampling


@pytest.mark.parametrize("make", [caltech100, rooms])
def test_samples_cover_the_range_of_costs(make: Callable[[], Recipe]) -> None:
    """Beyond the first two, which are the ends themselves; and no fifth of the range is empty."""
    cost: CostModel = cost_model(make().network)
    space = cost.space
    assert sampled(space, 0, 0) == space.smallest()
    assert sampled(space, 0, 1) == space.largest()
    lowest, highest = cost.of(space.smallest()), cost.of(space.largest())
    shares = [(cost.of(sampled(space, 0, i)) - lowest) / (highest - lowest) for i in range(2, 202)]
    assert min(shares) < 0.05
    assert max(shares) > 0.95
    counts, _ = np.histogram(shares, bins=5, range=(0.0, 1.0))
    assert counts.min() >= 10


def test_independent_widths_would_not_cover_it() -> None:
    """Why samples are stratified: the reason given where they are drawn."""
    cost = cost_model(rooms().network)
    rng, space = np.random.default_rng(0), cost.space
    lowest, highest = cost.of(space.smallest()), cost.of(space.largest())
    shares = [(cost.of(space.random(rng)) - lowest) / (highest - lowest) for _ in range(200)]
    assert min(shares) > 0.15
    assert max(shares) < 0.85


def test_samples_are_non_uniform_and_follow_seed_and_index() -> None:
    first = [sampled(SPACE, 0, i) for i in range(40)]
    assert first == [sampled(SPACE, 0, i) for i in range(40)]
    assert len(set(first)) > 30
    assert first[2:] != [sampled(SPACE, 1, i) for i in range(2, 40)]
    mixed = [len({a[g.name] / g.full for g in SPACE.groups}) > 1 for a in first[2:]]
    assert sum(mixed) > 25


# ---- collecting

CHECKPOINT = "digest of the checkpoint"


def test_samples_are_saved_as_they_come(tmp_path: Path) -> None:
    path, seen = tmp_path / "runs" / "samples.jsonl", []

    def on_sample(done: int, count: int) -> None:
        seen.append((done, count, len(path.read_text().splitlines())))

    samples = collect(SPACE, 5, 0, path, CHECKPOINT, Measurer(), on_sample)
    assert seen == [(i, 5, i) for i in range(1, 6)]
    assert [s.architecture for s in samples] == [sampled(SPACE, 0, i) for i in range(5)]
    assert [s.quality for s in samples] == [truth(SPACE, s.architecture) for s in samples]
    assert json.loads(path.read_text().splitlines()[0])["channels"] == SPACE.smallest().as_dict()


@pytest.mark.parametrize("half_a_line", ["", '{"channels": {"prep', '{"channels": 1}'])
def test_an_interrupted_collection_goes_on(tmp_path: Path, half_a_line: str) -> None:
    path = tmp_path / "samples.jsonl"
    with pytest.raises(KeyboardInterrupt):
        collect(SPACE, 6, 0, path, CHECKPOINT, Measurer(fail_at=4))
    with path.open("a") as file:
        file.write(half_a_line)
    measure = Measurer()
    samples = collect(SPACE, 6, 0, path, CHECKPOINT, measure)
    assert measure.measured == [sampled(SPACE, 0, i) for i in (4, 5)]
    whole = tmp_path / "whole.jsonl"
    assert samples == collect(SPACE, 6, 0, whole, CHECKPOINT, Measurer())
    assert path.read_bytes() == whole.read_bytes()


def test_more_samples_add_to_those_there_are(tmp_path: Path) -> None:
    path, measure = tmp_path / "samples.jsonl", Measurer()
    collect(SPACE, 3, 0, path, CHECKPOINT, Measurer())
    assert len(collect(SPACE, 5, 0, path, CHECKPOINT, measure)) == 5
    assert len(measure.measured) == 2
    assert len(collect(SPACE, 2, 0, path, CHECKPOINT, measure)) == 2
    assert len(path.read_text().splitlines()) == 5


def test_samples_of_another_seed_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    collect(SPACE, 5, 0, path, CHECKPOINT, Measurer())
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"samples\.jsonl holds samples of another seed or space"):
        collect(SPACE, 5, 1, path, CHECKPOINT, Measurer())
    assert path.read_bytes() == before


def test_samples_of_another_checkpoint_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    collect(SPACE, 3, 0, path, CHECKPOINT, Measurer())
    with pytest.raises(ValueError, match="trained again; remove it"):
        collect(SPACE, 5, 0, path, "another", Measurer())


@pytest.mark.parametrize(
    "line",
    [
        "not json",
        "[]",
        "3",
        "{}",
        '{"channels": {"prep": 8}, "losses": {}, "metrics": {}}',
        '{"channels": 5, "losses": {}, "metrics": {}}',
    ],
)
def test_a_line_that_is_no_sample_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "samples.jsonl"
    collect(SPACE, 2, 0, path, CHECKPOINT, Measurer())
    with path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(ValueError, match=r"samples\.jsonl, line 3, is not a sample"):
        collect(SPACE, 5, 0, path, CHECKPOINT, Measurer())


# ---- fitting


def measured(count: int) -> list[Sample]:
    architectures = [sampled(SPACE, 0, i) for i in range(count)]
    return [Sample(a, truth(SPACE, a)) for a in architectures]


@pytest.fixture(scope="module")
def fitted() -> tuple[dict[str, NDArray[np.float32]], PredictorQuality]:
    return fit(SPACE, TASKS, measured(CONFIG.samples), CONFIG, seed=0)


def predictor(tensors: dict[str, NDArray[np.float32]]) -> AccuracyPredictor:
    return AccuracyPredictor.from_tensors(tensors, TASKS, len(SPACE.groups))


def unseen(count: int) -> list[Architecture]:
    return [sampled(SPACE, 99, i) for i in range(2, count + 2)]


def concordance(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Kendall's τ (a) by its definition, over all pairs."""
    i, j = np.triu_indices(len(a), 1)
    return float(np.mean(np.sign(a[i] - a[j]) * np.sign(b[i] - b[j])))


def test_it_learns_a_smooth_quality(
    fitted: tuple[dict[str, NDArray[np.float32]], PredictorQuality],
) -> None:
    tensors, quality = fitted
    assert (quality.samples, quality.held_out) == (180, 20)
    for task in TASKS:
        assert quality.loss_tau[task] > 0.8
        assert quality.metric_tau[task] > 0.8
        assert quality.loss_mae[task] < 0.05
    architectures = unseen(60)
    channels_PG = np.array([a.channels for a in architectures])
    losses_PN, metrics_PN = predictor(tensors).predict(SPACE.ratios_of(channels_PG))
    true = [truth(SPACE, a) for a in architectures]
    for n, task in enumerate(TASKS):
        true_losses = np.array([q.losses[task] for q in true])
        assert concordance(losses_PN[:, n], true_losses) > 0.8
        assert concordance(metrics_PN[:, n], -true_losses) > 0.8
        assert np.abs(losses_PN[:, n] - true_losses).mean() < 0.05


def test_the_papers_settings_learn_it_too() -> None:
    """Adam at a constant learning rate, without weight decay."""
    _, quality = fit(SPACE, TASKS, measured(200), PredictorConfig.as_published(1), seed=0)
    assert min(quality.loss_tau.values()) > 0.7


def test_held_out_samples_are_judged_as_reported(
    fitted: tuple[dict[str, NDArray[np.float32]], PredictorQuality],
) -> None:
    tensors, quality = fitted
    held_out = measured(CONFIG.samples)[9::10]
    channels_PG = np.array([s.architecture.channels for s in held_out])
    losses_PN, metrics_PN = predictor(tensors).predict(SPACE.ratios_of(channels_PG))
    for n, task in enumerate(TASKS):
        losses = np.array([s.quality.losses[task] for s in held_out])
        metrics = np.array([s.quality.metrics[task] for s in held_out])
        assert quality.loss_mae[task] == pytest.approx(np.abs(losses_PN[:, n] - losses).mean())
        assert quality.metric_mae[task] == pytest.approx(np.abs(metrics_PN[:, n] - metrics).mean())
        assert quality.loss_tau[task] == pytest.approx(
            concordance(losses_PN[:, n], losses), abs=0.02
        )


def test_what_is_published_is_algorithm_3_in_torch_and_in_numpy(
    fitted: tuple[dict[str, NDArray[np.float32]], PredictorQuality],
) -> None:
    tensors, _ = fitted
    assert {name: t.shape for name, t in tensors.items()} == tensor_shapes(2, len(SPACE.groups))
    channels_PG = np.array([a.channels for a in unseen(30)])
    ratios_PG = SPACE.ratios_of(channels_PG)
    t = {name: torch.from_numpy(value) for name, value in tensors.items()}
    x = torch.from_numpy(ratios_PG).float()
    for layer in ("model.0", "model.2", "model.4"):
        x = F.relu(F.linear(x, t[f"{layer}.weight"], t[f"{layer}.bias"]))
    standardised = F.linear(x, t["heads.weight"], t["heads.bias"])
    values = (standardised * t["targets.std"] + t["targets.mean"]).numpy()
    found = predictor(tensors)
    losses_PN, metrics_PN = found.predict(ratios_PG)
    np.testing.assert_allclose(losses_PN, values[:, :2], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(metrics_PN, values[:, 2:], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(
        found.standardised_losses(ratios_PG), standardised[:, :2].numpy(), rtol=1e-4, atol=1e-5
    )


def test_fitting_follows_its_seed_and_leaves_torchs_own_alone() -> None:
    samples, config = measured(30), replace(CONFIG, epochs=2)
    state = torch.get_rng_state()
    first, again, other = (fit(SPACE, TASKS, samples, config, seed)[0] for seed in (0, 0, 1))
    for name in first:
        np.testing.assert_array_equal(first[name], again[name])
    assert not np.array_equal(first["heads.weight"], other["heads.weight"])
    assert torch.equal(torch.get_rng_state(), state)


def test_a_task_that_no_width_changes_is_predicted_all_the_same() -> None:
    samples = [
        Sample(s.architecture, Quality(s.quality.losses | {"flowers": 0.7}, s.quality.metrics))
        for s in measured(30)
    ]
    tensors, quality = fit(SPACE, TASKS, samples, replace(CONFIG, epochs=2), 0)
    channels_PG = np.array([SPACE.smallest().channels, SPACE.largest().channels])
    losses_PN, _ = predictor(tensors).predict(SPACE.ratios_of(channels_PG))
    np.testing.assert_allclose(losses_PN[:, 1], 0.7, atol=1e-3)
    assert quality.loss_tau["flowers"] == 0.0


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(ValueError, match=r"at least 20 samples are needed .* found 19"):
        fit(SPACE, TASKS, measured(19), CONFIG, 0)

"""The accuracy predictor: what it learns from measured sub-networks."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from model_store.subnet.predictor import AccuracyPredictor, tensor_shapes
from model_store.subnet.space import Architecture
from tests.training.qualities import SPACE, TASKS, truth
from training.evaluate import Quality
from training.predictor import PredictorQuality, fit
from training.recipe import PredictorConfig
from training.samples import Sample, sampled

CONFIG = PredictorConfig(samples=200, calibration_images=1, imagined=4000)


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
    """ECMT Sec. 5: 2000 samples alone, Adam at a constant rate. A tenth of them does here."""
    config = PredictorConfig.as_published(1)
    assert (config.samples, config.imagined) == (2000, 0)
    assert (config.epochs, config.batch_size) == (150, 16)
    assert (config.learning_rate, config.schedule) == (1e-3, "constant")
    _, quality = fit(SPACE, TASKS, measured(200), config, seed=0)
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

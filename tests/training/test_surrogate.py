"""What Gaussian processes make of a few measured sub-networks."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import kendalltau  # type: ignore[import-untyped]

from model_store.subnet.predictor import AccuracyPredictor
from tests.training.qualities import SPACE, TASKS, truth
from training import surrogate
from training.configs import rooms
from training.predictor import fit
from training.recipe import PredictorConfig
from training.samples import Sample, sampled
from training.supernet import cost_model
from training.surrogate import answered, imagined


def losses_of(ratios_PG: NDArray[np.float64]) -> NDArray[np.float64]:
    """The true losses [P, N] of sub-networks given as width ratios."""
    full_G = [g.full for g in SPACE.groups]
    rows = np.rint(ratios_PG * full_G).astype(int).tolist()
    found = [SPACE.from_channels(dict(zip(SPACE.names, row, strict=True))) for row in rows]
    return np.array([[truth(SPACE, a).losses[t] for t in TASKS] for a in found])


def standardised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    scaled: NDArray[np.float64] = (values - values.mean(axis=0)) / values.std(axis=0)
    return scaled


def asked(count: int, seed: int) -> NDArray[np.float64]:
    return imagined(SPACE, count, np.random.default_rng(seed))


# ---- imagined sub-networks


def test_imagined_sub_networks_have_widths_that_there_are() -> None:
    losses_of(asked(50, 0))  # raises where a width is none of its group's
    np.testing.assert_array_equal(asked(50, 0), asked(50, 0))
    assert not np.array_equal(asked(50, 0), asked(50, 1))


def test_they_are_of_every_cost_and_of_every_unevenness() -> None:
    cost = cost_model(rooms().network)
    space = cost.space
    ratios_PG = imagined(space, 400, np.random.default_rng(0))
    ends = cost.of(space.smallest()), cost.of(space.largest())
    full_G = np.array([g.full for g in space.groups])
    costs = cost.counts(np.rint(ratios_PG * full_G).astype(np.int64))
    shares = (costs - ends[0]) / (ends[1] - ends[0])
    counts, _ = np.histogram(shares, bins=5, range=(0.0, 1.0))
    assert counts.min() >= 10
    unevenness = ratios_PG.std(axis=1)
    assert unevenness.min() < 0.05
    assert unevenness.max() > 0.18


# ---- answers


def test_what_was_measured_is_answered_as_it_was_measured() -> None:
    x, y = asked(80, 0), standardised(losses_of(asked(80, 0)))
    seen: list[tuple[int, int]] = []
    found = answered(SPACE, TASKS, standardised(x), y, standardised(x), lambda *n: seen.append(n))
    np.testing.assert_allclose(found, y, atol=0.1)
    assert seen == [(1, 2), (2, 2)]


def test_of_many_samples_the_last_count_as_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surrogate, "ENOUGH", 60)
    x = standardised(asked(80, 0))
    y = standardised(losses_of(asked(80, 0)))
    y[60:] += 1.0
    found = answered(SPACE, TASKS, x, y, x[60:])
    assert np.abs(found - y[60:]).mean() < 0.25


@pytest.mark.parametrize("task", TASKS)
def test_a_task_does_not_see_the_other_tasks_decoders(task: str) -> None:
    x = asked(60, 0)
    y = standardised(losses_of(x))
    other = x.copy()
    others = [group for t, group in SPACE.decoders.items() if t != task]
    other[:, others] = other[::-1, others]
    n = TASKS.index(task)
    for quantity in (n, n + len(TASKS)):
        first, second = (answered(SPACE, TASKS, x, np.hstack([y, -y]), z) for z in (x, other))
        np.testing.assert_array_equal(first[:, quantity], second[:, quantity])


def test_noise_is_not_learned() -> None:
    rng = np.random.default_rng(0)
    noise = standardised(rng.normal(size=(120, 2)))
    found = answered(SPACE, TASKS, standardised(asked(120, 0)), noise, standardised(asked(200, 1)))
    assert np.abs(found).mean() < 0.3


def test_few_samples_say_more_through_it_than_directly() -> None:
    """Why it is there: the predictor orders unseen sub-networks better."""
    samples = [Sample(a, truth(SPACE, a)) for a in (sampled(SPACE, 0, i) for i in range(40))]
    unseen = asked(200, 5)
    config = PredictorConfig(samples=40, calibration_images=1, imagined=4000)

    def tau(config: PredictorConfig) -> float:
        tensors, _ = fit(SPACE, TASKS, samples, config, seed=0)
        losses, _ = AccuracyPredictor.from_tensors(tensors, TASKS, len(SPACE.groups)).predict(
            unseen
        )
        true = losses_of(unseen)
        taus = [kendalltau(losses[:, n], true[:, n]).statistic for n in range(len(TASKS))]
        return float(np.mean(taus))

    directly = replace(PredictorConfig.as_published(1), samples=40)
    assert tau(config) > tau(directly) + 0.02

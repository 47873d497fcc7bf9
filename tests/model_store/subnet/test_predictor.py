"""The accuracy predictor: values by hand, and what it refuses."""

import numpy as np
import pytest
from numpy.typing import NDArray

from model_store.subnet.predictor import AccuracyPredictor, tensor_shapes

Tensors = dict[str, NDArray[np.float32]]


def by_hand() -> Tensors:
    """Two groups, one task; only the first unit or two of each layer do anything."""
    tensors = {name: np.zeros(s, np.float32) for name, s in tensor_shapes(1, 2).items()}
    tensors["model.0.weight"][0] = [2, -1]  # a = relu(2 x - y)
    tensors["model.0.weight"][1] = [-2, 1]  # b = relu(y - 2 x + 0.5)
    tensors["model.0.bias"][1] = 0.5
    tensors["model.2.weight"][0, :2] = [3, 1]  # c = relu(3 a + b - 1)
    tensors["model.2.bias"][0] = -1
    tensors["model.4.weight"][0, 0] = 0.5  # d = relu(c / 2)
    tensors["heads.weight"][0, 0] = -2  # loss: -2 d + 1 standard deviations
    tensors["heads.weight"][1, 0] = 4  # metric: 4 d standard deviations
    tensors["heads.bias"][:] = [1, 0]
    tensors["targets.mean"][:] = [0.7, 0.9]
    tensors["targets.std"][:] = [0.1, 0.05]
    return tensors


def test_values_by_hand() -> None:
    predictor = AccuracyPredictor.from_tensors(by_hand(), ["task"], groups=2)
    ratios_PG = np.array([[1.0, 0.5], [0.5, 1.0]])
    # First: a = 1.5, b = 0 (-1 clipped), c = 3.5, d = 1.75; second: a = 0, b = 0.5, c = d = 0.
    np.testing.assert_allclose(predictor.standardised_losses(ratios_PG), [[-2.5], [1.0]], rtol=1e-6)
    losses_PN, metrics_PN = predictor.predict(ratios_PG)
    np.testing.assert_allclose(losses_PN, [[0.7 - 0.25], [0.7 + 0.1]], rtol=1e-6)
    np.testing.assert_allclose(metrics_PN, [[0.9 + 7 * 0.05], [0.9]], rtol=1e-6)


def random_tensors(tasks: int, groups: int, seed: int = 0) -> Tensors:
    rng = np.random.default_rng(seed)
    shapes = tensor_shapes(tasks, groups)
    tensors = {n: rng.normal(0, 0.3, s).astype(np.float32) for n, s in shapes.items()}
    tensors["targets.std"] = np.abs(tensors["targets.std"]) + np.float32(0.1)
    return tensors


@pytest.mark.parametrize("population", [0, 1, 63, 64, 65, 1000])
def test_a_population_is_predicted_like_its_members_alone(population: int) -> None:
    predictor = AccuracyPredictor.from_tensors(random_tensors(3, 7), ["a", "b", "c"], groups=7)
    ratios_PG = np.random.default_rng(1).uniform(0.2, 1.0, (population, 7))
    together = predictor.standardised_losses(ratios_PG)
    assert together.shape == (population, 3)
    for row, losses_N in zip(ratios_PG, together, strict=True):
        np.testing.assert_allclose(losses_N, predictor.standardised_losses(row[None])[0], atol=1e-5)


def test_standardised_losses_are_the_losses_without_their_units() -> None:
    tensors = random_tensors(3, 7)
    predictor = AccuracyPredictor.from_tensors(tensors, ["a", "b", "c"], groups=7)
    ratios_PG = np.random.default_rng(2).uniform(0.2, 1.0, (20, 7))
    standardised = predictor.standardised_losses(ratios_PG)
    losses_PN, _ = predictor.predict(ratios_PG)
    mean, std = tensors["targets.mean"][:3], tensors["targets.std"][:3]
    np.testing.assert_allclose(losses_PN, standardised * std + mean, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "tensor", "reason"),
    [
        ("heads.bias", None, "missing or unknown tensors: heads.bias"),
        ("model.6.bias", np.zeros(3, np.float32), "missing or unknown tensors: model.6.bias"),
        ("heads.bias", np.zeros(3, np.float32), r"heads.bias must be float32 \[2\], found .*\[3\]"),
        ("heads.bias", np.zeros(2), r"heads.bias must be float32 \[2\], found float64 \[2\]"),
        ("heads.bias", np.array([0, np.nan], np.float32), "heads.bias .* not finite"),
        ("targets.mean", np.array([np.inf, 0], np.float32), "targets.mean .* not finite"),
        ("targets.std", np.array([0, 1], np.float32), "targets.std must be positive"),
    ],
)
def test_wrong_tensors_are_refused(
    name: str, tensor: NDArray[np.float32] | None, reason: str
) -> None:
    tensors = by_hand()
    if tensor is None:
        del tensors[name]
    else:
        tensors[name] = tensor
    with pytest.raises(ValueError, match=reason):
        AccuracyPredictor.from_tensors(tensors, ["task"], groups=2)


@pytest.mark.parametrize(("tasks", "groups"), [(["task"], 3), (["one", "two"], 2)])
def test_tensors_of_another_search_space_are_refused(tasks: list[str], groups: int) -> None:
    with pytest.raises(ValueError, match="must be float32"):
        AccuracyPredictor.from_tensors(by_hand(), tasks, groups)

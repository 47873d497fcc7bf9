"""Losses of one process: the whole batch is its own. Those of several are tested by ranks."""

import math

import pytest
import torch

from training.global_batch import collective_loss, shares_of
from training.ranks import Ranks
from training.tasks import IGNORE, Task

DEPTH = Task("depth", "depth", 1)


def test_a_batch_without_any_ground_truth_is_a_zero_that_moves_nothing() -> None:
    raw = {"depth": torch.full((1, 1, 2, 2), math.inf, requires_grad=True)}
    targets = {"depth": torch.zeros(1, 2, 2)}
    total, losses = collective_loss((DEPTH,), raw, targets, shares_of((DEPTH,), targets, Ranks()))
    total.backward()  # type: ignore[no-untyped-call]
    assert (total.item(), losses) == (0.0, {})
    assert raw["depth"].grad is not None
    assert not raw["depth"].grad.any()


def test_the_collective_loss_is_the_weighted_sum_over_tasks_with_ground_truth() -> None:
    tasks = (
        Task("depth", "depth", 1, 2.0),
        Task("far", "depth", 1, 0.5),
        Task("animals", "classification", 2, 7.0),
    )
    raw = {
        "depth": torch.zeros(1, 1, 1, 1),
        "far": torch.zeros(1, 1, 1, 1),
        "animals": torch.zeros(1, 2),
    }
    targets = {
        "depth": torch.full((1, 1, 1), math.e),
        "far": torch.full((1, 1, 1), math.exp(4.0)),
        "animals": torch.tensor([IGNORE]),
    }
    total, losses = collective_loss(tasks, raw, targets, shares_of(tasks, targets, Ranks()))
    assert {name: float(loss) for name, loss in losses.items()} == pytest.approx(
        {"depth": 1.0, "far": 4.0}
    )
    assert float(total) == pytest.approx(2.0 * 1.0 + 0.5 * 4.0)

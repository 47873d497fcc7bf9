"""The learning rate over a run."""

import pytest
import torch
from torch.optim.lr_scheduler import OneCycleLR, PolynomialLR, StepLR

from training.recipe import Schedule, TrainingConfig
from training.schedule import learning_rate, one_cycle


@pytest.mark.parametrize(("steps", "warmup"), [(20, 0.2), (37, 0.3), (9, 0.5), (100, 0.05)])
def test_it_is_pytorchs_one_cycle_schedule(steps: int, warmup: float) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    schedule = OneCycleLR(optimizer, max_lr=1.0, total_steps=steps, pct_start=warmup)
    for step in range(steps):
        expected = optimizer.param_groups[0]["lr"]
        assert one_cycle(step, steps, warmup) == pytest.approx(expected, rel=1e-9)
        optimizer.step()
        if step < steps - 1:
            schedule.step()


def test_a_rise_of_one_step_is_none() -> None:
    """PyTorch's schedule divides by zero here."""
    rates = [one_cycle(step, 5, 0.2) for step in range(5)]
    assert rates[0] == 1.0
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 1e-5


@pytest.mark.parametrize("warmup", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_the_shortest_runs_have_a_learning_rate(steps: int, warmup: float) -> None:
    rates = [one_cycle(step, steps, warmup) for step in range(steps)]
    assert all(0.0 < rate <= 1.0 for rate in rates)
    assert max(rates) == 1.0


def rates(schedule: Schedule, epochs: int = 60, steps: int = 2) -> list[float]:
    """The learning rate of every step of a run that peaks at 0.1."""
    config = TrainingConfig(epochs, 8, 0.1, 0.0, 0.0, schedule=schedule)
    return [learning_rate(config, e, s, steps) for e in range(epochs) for s in range(steps)]


def test_poly_is_pytorchs_polynomial_decay() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    schedule = PolynomialLR(optimizer, total_iters=120, power=0.9)
    for found in rates("poly"):
        assert found == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9)
        optimizer.step()
        schedule.step()


def test_step_is_pytorchs_step_decay_by_epochs() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    schedule = StepLR(optimizer, step_size=20, gamma=1 / 3)
    found = rates("step")
    for epoch in range(60):
        assert found[2 * epoch : 2 * epoch + 2] == pytest.approx(
            [optimizer.param_groups[0]["lr"]] * 2
        )
        optimizer.step()
        schedule.step()


def test_constant_is_the_rate_itself_and_one_cycle_peaks_there() -> None:
    assert set(rates("constant")) == {0.1}
    assert max(rates("one-cycle")) == pytest.approx(0.1, rel=1e-2)

"""What each task's loss counts for."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.loss_weights import LEAST, loss_weights

Numbers = dict[str, float]

positive = st.floats(0.01, 100.0)
some_tasks = st.dictionaries(
    st.sampled_from("abcdefgh"), st.tuples(positive, positive), min_size=1
).map(lambda tasks: ({t: x[0] for t, x in tasks.items()}, {t: x[1] for t, x in tasks.items()}))
"""Weights and losses by task."""


def weighted(weighting: str, rho: Numbers, losses: Numbers) -> Numbers:
    tensors = {t: torch.tensor(x, dtype=torch.float64) for t, x in losses.items()}
    return loss_weights(weighting, rho, tensors)  # type: ignore[arg-type]


@given(some_tasks)
def test_fixed_weights_are_the_tasks_own(tasks: tuple[Numbers, Numbers]) -> None:
    assert weighted("fixed", *tasks) == tasks[0]


@given(some_tasks)
def test_the_sum_of_the_weights_stays(tasks: tuple[Numbers, Numbers]) -> None:
    rho, losses = tasks
    assert sum(weighted("geometric-mean", rho, losses).values()) == pytest.approx(sum(rho.values()))


@given(some_tasks)
def test_the_weights_point_where_the_logarithms_of_the_losses_fall(
    tasks: tuple[Numbers, Numbers],
) -> None:
    """d Π L_n^ρ_n is along Σ ρ_n dlog L_n, which PyTorch differentiates here."""
    rho, losses = tasks
    losses_N = torch.tensor(list(losses.values()), dtype=torch.float64, requires_grad=True)
    rho_N = torch.tensor(list(rho.values()), dtype=torch.float64)
    (rho_N * losses_N.log()).sum().backward()  # type: ignore[no-untyped-call]
    assert losses_N.grad is not None
    expected_N = losses_N.grad / losses_N.grad.sum()
    found = weighted("geometric-mean", rho, losses)
    assert [w / sum(rho.values()) for w in found.values()] == pytest.approx(expected_N.tolist())


@given(some_tasks, st.floats(0.1, 10.0))
def test_the_unit_of_a_loss_does_not_matter(tasks: tuple[Numbers, Numbers], unit: float) -> None:
    """What a task adds to the sum, beside another, is the same in metres and in feet."""
    rho, losses = tasks
    first = next(iter(losses))
    other = losses | {first: losses[first] * unit}
    before, after = (weighted("geometric-mean", rho, x) for x in (losses, other))
    for task, loss in losses.items():
        ratio = before[task] * loss / (before[first] * losses[first])
        assert after[task] * other[task] / (after[first] * other[first]) == pytest.approx(ratio)


@pytest.mark.parametrize("solved", [0.0, 1e-9, LEAST / 2])
def test_a_solved_task_does_not_take_over(solved: float) -> None:
    rho = {"solved": 1.0, "open": 1.0}
    found = weighted("geometric-mean", rho, {"solved": solved, "open": 0.5})
    assert found == weighted("geometric-mean", rho, {"solved": LEAST, "open": 0.5})


@pytest.mark.parametrize("weighting", ["fixed", "geometric-mean"])
def test_tasks_without_ground_truth_have_no_weight(weighting: str) -> None:
    rho = {"depth": 2.0, "edges": 4.0}
    assert weighted(weighting, rho, {"edges": 0.1}) == pytest.approx({"edges": 4.0})
    assert weighted(weighting, rho, {}) == {}

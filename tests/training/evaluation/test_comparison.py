"""Losses weighted by preference, by hand."""

import pytest

from tests.training.evaluation.made import answer, dense_tasks, results
from training.evaluate import Quality
from training.evaluation.comparison import comparisons, weighted_loss

TASKS = dense_tasks()[:2]
FOUND = Quality({"segmentation": 2.0, "depth": 0.1}, {"segmentation": 0.5, "depth": 0.1})


def test_a_weighted_loss_by_hand() -> None:
    made = answer(TASKS, "ecmt", 1.0, {"segmentation": 0.25, "depth": 0.5}, FOUND)
    assert weighted_loss(made) == pytest.approx((0.25 * 2.0 + 0.5 * 0.1) / 0.75)
    full = {"segmentation": 1.0, "depth": 0.1}
    assert weighted_loss(made, full) == pytest.approx((0.25 * 2 + 0.5 * 1) / 0.75)


def test_what_was_not_measured_is_not_compared() -> None:
    made = answer(TASKS, "ecmt", 1.0, {"segmentation": 1.0, "depth": 0.5}, None)
    with pytest.raises(ValueError, match="not measured"):
        weighted_loss(made)
    assert comparisons(results().model_copy(update={"baselines": None})) == []


def test_both_searches_are_compared_at_every_budget() -> None:
    """Every loss is 0.3 with one, 0.4 with the other, and 0.3 at full width."""
    full, tight = comparisons(results(evolution=0.3, ecmt=0.4))
    assert (full.share, tight.share) == (1.0, 0.44)
    assert tight.ecmt == pytest.approx(0.4)
    assert tight.evolution == pytest.approx(0.3)
    assert tight.ecmt_relative == pytest.approx(4 / 3)
    assert tight.change == pytest.approx(-25.0)
    assert (tight.better, tight.worse) == (3, 0)

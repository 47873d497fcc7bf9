"""Budget use and Spearman's correlation, by hand."""

from collections.abc import Sequence

import pytest

from tests.training.evaluation.made import answer, results
from training.evaluate import Quality
from training.evaluation.control import budget_use, preference_correlation
from training.evaluation.judged import Judged
from training.evaluation.results import Answer, Answers
from training.metrics import metric_of

SEMSEG = Judged("semseg", "segmentation", metric_of("segmentation"))
DEPTH = Judged("depth", "depth", metric_of("depth"))


def asked(task: Judged, pairs: Sequence[tuple[float, float]]) -> list[Answer]:
    """Answers to (preference, metric); the loss rises with the preference."""
    return [
        answer([task], "evolution", 1.0, {task.name: p}, Quality({task.name: p}, {task.name: m}))
        for p, m in pairs
    ]


def test_quality_that_follows_the_preference_is_perfect_control() -> None:
    rising = [(0.1, 0.50), (0.3, 0.51), (0.2, 0.505), (0.9, 0.80)]
    metric, loss = preference_correlation([SEMSEG], asked(SEMSEG, rising))["semseg"]
    assert metric == pytest.approx(1.0)
    assert loss == pytest.approx(-1.0)


def test_an_error_that_follows_the_preference_is_the_opposite() -> None:
    rising = [(0.1, 0.50), (0.3, 0.51), (0.2, 0.505), (0.9, 0.80)]
    assert preference_correlation([DEPTH], asked(DEPTH, rising))["depth"][0] == pytest.approx(-1.0)


def test_ranks_count_and_not_sizes() -> None:
    """Ranks 1 2 3 4 against 2 1 3 4: ρ = 1 - 6 (1 + 1) / (4 (16 - 1)) = 0.8."""
    pairs = [(0.1, 0.6), (0.2, 0.5), (0.3, 0.7), (0.4, 9.0)]
    assert preference_correlation([SEMSEG], asked(SEMSEG, pairs))["semseg"][0] == pytest.approx(0.8)


def test_preferences_without_effect_have_no_correlation() -> None:
    flat = [(0.1, 0.5), (0.2, 0.5), (0.3, 0.5)]
    assert preference_correlation([SEMSEG], asked(SEMSEG, flat))["semseg"][0] == 0.0


def test_budget_use_by_hand() -> None:
    even = {"semseg": 1.0}
    quality = Quality({"semseg": 0.5}, {"semseg": 0.5})
    answers = [
        answer([SEMSEG], "evolution", 0.5, even, quality, gmacs=g) for g in (0.5, 0.45, 0.501)
    ]
    answers.append(answer([SEMSEG], "ecmt", 0.5, even, quality))
    made = results().model_copy(update={"answers": Answers(answers=tuple(answers))})
    (use,) = [u for u in budget_use(made) if u.algorithm == "evolution"]
    assert use.exceeded == 1
    assert use.most == pytest.approx(1.002)
    assert use.mean == use.attained == pytest.approx((1.0 + 0.9 + 1.002) / 3)

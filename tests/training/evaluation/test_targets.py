"""Targets: reached, missed, or open where something was not measured."""

import pytest

from tests.training.evaluation.made import answer, dense_tasks, quality, results
from training.evaluation.gains import distillation_gain, over_singles
from training.evaluation.report import report_of
from training.evaluation.results import Answers, RunResults
from training.evaluation.tables import shown
from training.evaluation.targets import Number, Target, Verdict, headline, targets


def verdicts(*runs: RunResults) -> list[Verdict]:
    return [t.verdict for t in targets(runs)]


def of(word: str, *runs: RunResults) -> Target:
    (found,) = [t for t in targets(runs) if word in t.what]
    return found


def test_spread_is_between_runs() -> None:
    assert Number(()).mean is None
    assert (Number((2.0,)).mean, Number((2.0,)).spread) == (2.0, None)
    assert Number((1.0, 3.0)).spread == pytest.approx(2**0.5)


def test_hypervolume_is_held_against_the_static_network() -> None:
    """Boxes of sides 3 - loss: (2.6 / 2.7)^5 = 0.83."""
    same, worse = results(evolution=0.3, static=0.3), results(evolution=0.4, static=0.3)
    assert of("HV at full budget", same).verdict == of("44%", same).verdict == "reached"
    assert of("HV at full budget", worse).verdict == of("44%", worse).verdict == "missed"
    assert of("44%", worse).number.mean == pytest.approx((2.6 / 2.7) ** 5)


def test_without_a_baseline_a_target_is_open() -> None:
    bare = results(static=None, single=None, without_distillation=None)
    assert of("44%", bare).verdict == of("HV at full budget", bare).verdict == "open"
    assert of("distillation", bare).note == "needs a run without distillation"
    assert over_singles(bare, {}) is None


def asked_at(*shares: float) -> RunResults:
    """Results of both searches at these budgets, for equal preferences."""
    tasks = dense_tasks()
    even = dict.fromkeys([t.name for t in tasks], 1.0)
    asked = [
        answer(tasks, a, s, even, quality(tasks, 0.3))
        for a in ("ecmt", "evolution")
        for s in shares
    ]
    return results().model_copy(update={"answers": Answers(answers=tuple(asked))})


def test_a_budget_above_44_percent_is_not_tight() -> None:
    made = asked_at(0.9, 0.5)
    assert of("44%", made).verdict == of("HV at full budget", made).verdict == "open"


def test_distillation_must_gain_more_than_the_spread() -> None:
    """The smallest has a loss of 0.4; without distillation it has 0.45, then 0.5 or 0.39."""
    clear = [results(without_distillation=loss) for loss in (0.45, 0.46, 0.45)]
    noisy = [results(without_distillation=loss) for loss in (0.5, 0.39)]
    assert of("distillation", *clear).verdict == "reached"
    assert of("distillation", *noisy).verdict == "missed"
    assert of("distillation", clear[0]).verdict == "open"
    assert of("distillation", clear[0]).note == "needs several seeds"


def test_distillation_gains_by_hand() -> None:
    """Shares rise from 0.5 to 0.6 (20%); errors fall from 0.5 to 0.4 (20%)."""
    assert distillation_gain(results(without_distillation=0.5)) == pytest.approx(20.0)


def test_nothing_is_relative_to_zero() -> None:
    """A loss of 1 gives every share a metric of 0 here, as few test images can."""
    made = results(static=1.0, single=1.0, without_distillation=1.0)
    assert distillation_gain(made) is None
    assert of("distillation", made).verdict == "open"
    assert "Δ-MTL" not in " ".join(headline([made]))
    row = " | ".join(["Δ-MTL, %", *(shown(None) for _ in range(4))])
    assert row in report_of(made).markdown


def test_budgets_that_are_close_are_told_apart() -> None:
    numbers = headline([asked_at(0.296, 0.304)])
    assert {"HV of losses at 29.6%, ecmt", "HV of losses at 30.4%, ecmt"} < set(numbers)


def test_the_worst_run_decides_between_the_searches() -> None:
    better, worse = results(evolution=0.3, ecmt=0.35), results(evolution=0.36, ecmt=0.35)
    assert of("`evolution`", better).verdict == "reached"
    assert of("`evolution`", better, worse).verdict == "missed"


def test_control_is_judged_at_the_full_and_at_the_tightest_budget() -> None:
    """Quality follows the preference at one budget, and opposes it at the other."""
    tasks = dense_tasks()
    asked = [
        answer(tasks, algorithm, share, {t.name: tau for t in tasks}, quality(tasks, loss))
        for algorithm in ("ecmt", "evolution")
        for share, sign in ((1.0, -1), (0.44, 1))
        for tau, loss in ((0.2, 0.3 + sign * 0.1), (0.4, 0.3 + sign * 0.2))
    ]
    made = results().model_copy(update={"answers": Answers(answers=tuple(asked))})
    full, tight = of("metric at the full", made), of("metric at the tightest", made)
    assert full.number.mean == pytest.approx(1.0)
    assert tight.number.mean == pytest.approx(-1.0)
    assert (full.verdict, tight.verdict) == ("reached", "missed")


def test_of_a_published_model_only_predictor_and_cost_are_known() -> None:
    tasks = dense_tasks()
    even = dict.fromkeys([t.name for t in tasks], 1.0)
    asked = [answer(tasks, a, s, even, None) for a in ("ecmt", "evolution") for s in (1.0, 0.44)]
    model = results().model_copy(
        update={"kind": "model", "baselines": None, "answers": Answers(answers=tuple(asked))}
    )
    assert verdicts(model) == ["open", "open", "open", "open", "missed", "open", "open", "reached"]


def test_numbers_that_no_run_has_are_left_out() -> None:
    names = set(headline([results(single=None)]))
    assert "mean gain over MTL-Static, smallest, %" in names
    assert "HV of errors at 44%, ecmt" in names
    assert not any("Δ-MTL" in name for name in names)

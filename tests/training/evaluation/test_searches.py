"""Answers, random encoders, sweeps and decoder widths on a real, small search space."""

import itertools

import numpy as np
import pytest

from model_store.subnet.predictor import AccuracyPredictor
from model_store.subnet.preference import Preference
from model_store.subnet.problem import Problem
from tests.training.tiny import classifying, dense
from training.evaluation.answers import ALGORITHMS, answered, attainable_macs, found
from training.evaluation.decoders import translated
from training.evaluation.encoders import random_encoders
from training.evaluation.marginal import chances, steps
from training.evaluation.settings import Settings
from training.evaluation.subject import Subject, judged
from training.evaluation.sweep import swept
from training.predictor import PredictorNetwork, PredictorQuality
from training.recipe import Recipe
from training.supernet import cost_model

SETTINGS = Settings(shares=(1.0, 0.5), preferences=3, sweep=4)


def subject_of(recipe: Recipe) -> Subject:
    """A subject whose predictor is not fitted to anything."""
    cost, names = cost_model(recipe.network), [t.name for t in recipe.network.tasks]
    tensors = PredictorNetwork(len(cost.space.groups), 2 * len(names)).tensors()
    flat = dict.fromkeys(names, 0.5)
    return Subject(
        name="tiny",
        kind="run",
        digest="0",
        epochs=1,
        tasks=judged(recipe),
        cost=cost,
        predictor=AccuracyPredictor.from_tensors(tensors, names, len(cost.space.groups)),
        quality=PredictorQuality(9, 1, flat, flat, flat, flat),
    )


TINY = subject_of(classifying())
DENSE = subject_of(dense())


def test_every_preference_is_answered_at_every_budget_by_every_search() -> None:
    found = answered(TINY, SETTINGS, None, lambda *_: None)
    assert len(found.answers) == 2 * 2 * 3
    for share, algorithm in itertools.product(SETTINGS.shares, ALGORITHMS):
        mine = found.of(algorithm, share)
        assert len(mine) == 3
        assert [a.preference for a in mine] == [a.preference for a in found.of("evolution", 1.0)]
        for answer in mine:
            architecture = TINY.space.from_channels(answer.channels)
            assert answer.gmacs == TINY.cost.of(architecture) / 1e9
            assert answer.gmacs <= answer.attainable_gmacs <= answer.budget_gmacs
            assert answer.budget_gmacs == pytest.approx(share * TINY.full_gmacs, rel=1e-6)
            assert answer.predicted == TINY.predict(architecture)


def test_answers_repeat() -> None:
    first, second = (answered(TINY, SETTINGS, None, lambda *_: None) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("tau", [(1.0, 0.0), (0.0, 1.0), (0.5, 0.5), (0.2, 0.9)])
def test_what_a_preference_allows_is_the_widest_that_eq_4_leaves(tau: tuple[float, float]) -> None:
    """Against every architecture whose decoders are not wider than Eq. 4's."""
    space, cost = TINY.space, TINY.cost
    preference = dict(zip(space.tasks, tau, strict=True))
    limits = Preference.of(space, preference, None).decoder_choices()
    top_G = space.choices_G - 1
    for task, choice in limits.items():
        top_G[space.decoders[task]] = choice
    every = itertools.product(*(range(n + 1) for n in top_G))
    budget = cost.of(space.largest()) // 2
    costs = cost.counts(np.unique(space.channels_of(np.array(list(every))), axis=0))
    assert attainable_macs(TINY, cost.of(space.largest()), preference) == costs.max()
    assert attainable_macs(TINY, budget, preference) <= budget


def test_an_infeasible_budget_is_refused() -> None:
    with pytest.raises(ValueError, match="below the smallest sub-network"):
        answered(TINY, Settings(shares=(0.01,)), None, lambda *_: None)


@pytest.mark.parametrize("level", [0.2, 0.5, 0.8])
def test_random_encoders_fill_the_budget(level: float) -> None:
    """Within it, and no encoder group could be a step wider."""
    space, cost = DENSE.space, DENSE.cost
    least, most = cost.of(space.smallest()), cost.of(space.largest())
    budget = int(least + level * (most - least))
    equal = Preference.of(space, dict.fromkeys(space.tasks, 1.0), None)
    problem = Problem(cost, DENSE.predictor.standardised_losses, budget, equal)
    drawn_PG = random_encoders(problem, 8, np.random.default_rng(0))
    assert problem.fits(drawn_PG).all()
    decoders = list(space.decoders.values())
    assert np.array_equal(drawn_PG[:, decoders], np.tile(problem.start_G[decoders], (8, 1)))
    assert len(np.unique(drawn_PG, axis=0)) > 1
    for group in space.encoder:
        grown_PG = drawn_PG[drawn_PG[:, group] < problem.top_G[group]]
        grown_PG[:, group] += 1
        assert not problem.fits(grown_PG).any()


def test_a_sweep_goes_from_the_smallest_to_the_full_budget() -> None:
    sweep = swept(TINY, SETTINGS, None)
    budgets = [p.budget_gmacs for p in sweep.points]
    assert (len(budgets), budgets) == (4, sorted(budgets))
    assert budgets[0] == sweep.points[0].gmacs == TINY.gmacs(TINY.space.smallest())
    assert budgets[-1] == pytest.approx(TINY.full_gmacs)
    assert all(p.gmacs <= p.budget_gmacs and p.measured is None for p in sweep.points)
    uniform = [p.gmacs for p in sweep.uniform]
    assert uniform == sorted(set(uniform))
    assert uniform[-1] == TINY.full_gmacs


def test_decoder_widths_by_hand() -> None:
    """Equal preferences give full widths; Eq. 4 with ω from 0.5 to 1 gives 0.5 + 0.5 τ."""
    equal, *drawn = translated(DENSE, SETTINGS).rows
    assert set(equal.eq4.values()) == {1.0}
    for row in drawn:
        low, high = min(row.preference.values()), max(row.preference.values())
        for task, tau in row.preference.items():
            normalised = (tau - low) / (high - low)
            assert row.normalised[task] == pytest.approx(normalised)
            # The nearest of the ratios 0.5, 0.75 and 1.
            assert abs(row.eq4[task] - (0.5 + 0.5 * normalised)) <= 0.125 + 1e-9
            assert row.found[task] <= row.eq4[task]


def test_the_most_preferred_task_has_the_widest_decoder_more_often() -> None:
    space = DENSE.space
    low, high = (chances(space, "depth", tau, 0) for tau in (0.0, 1.0))
    assert sum(low.values()) == pytest.approx(1.0) == sum(high.values())
    assert low == {0: 1.0}
    assert high == {2: 1.0}
    middle = chances(space, "depth", 0.5, 0)
    assert 0 < sum(choice * p for choice, p in middle.items()) < 2


def test_steps_hold_every_decoder_width_beside_one_encoder() -> None:
    for size, encoder_of in (("largest", DENSE.space.largest), ("smallest", DENSE.space.smallest)):
        found = steps(DENSE.space, size)  # type: ignore[arg-type]
        groups = [g for g in DENSE.space.groups if g.task is None]
        assert all(a[g.name] == encoder_of()[g.name] for a in found for g in groups)
        for task, index in DENSE.space.decoders.items():
            group = DENSE.space.groups[index]
            assert tuple(a[group.name] for a in found) == group.channels, task


def test_without_a_limit_the_default_search_spends_everything() -> None:
    """Equal preferences limit no decoder, so what is left of the budget buys the full network."""
    budget = TINY.cost.of(TINY.space.largest())
    preference = dict.fromkeys(TINY.space.tasks, 1.0)
    assert found(TINY, "evolution", budget, preference, 0) == TINY.space.largest()


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ({"shares": ()}, "found none"),
        ({"shares": (1.2,)}, "found 1.2"),
        ({"shares": (0.5, 0.5)}, "each budget is named once"),
        ({"preferences": 1}, "2 to 24 preferences"),
        ({"preferences": 25}, "2 to 24 preferences"),
        ({"images": 0}, "at least 1 test image"),
        ({"sweep": 1}, "at least 2 budgets"),
    ],
)
def test_impossible_settings_are_refused(made: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Settings(**made)  # type: ignore[arg-type]

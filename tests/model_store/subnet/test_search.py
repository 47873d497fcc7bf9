"""What both search algorithms promise, against brute force on a small space."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings

from model_store.subnet.preference import Preference
from model_store.subnet.problem import Problem
from model_store.subnet.search import Algorithm, InfeasibleBudget, search
from tests.model_store.subnet.searches import (
    COST,
    LOSSES,
    PREFERENCES,
    SPACE,
    Case,
    cases,
    wider_is_better,
)

BOTH: tuple[Algorithm, ...] = get_args(Algorithm)
EVERYTHING = SPACE.tasks

both = pytest.mark.parametrize("algorithm", BOTH)
some = settings(max_examples=30)


@both
@given(case=cases())
@some
def test_the_budget_is_never_exceeded(algorithm: Algorithm, case: Case) -> None:
    result = case.search(algorithm)
    assert result.cost <= case.budget
    assert result.cost == COST.for_tasks(case.tasks).of(result.architecture)


@both
@given(case=cases())
@some
def test_the_answer_is_a_sub_network_of_the_space(algorithm: Algorithm, case: Case) -> None:
    architecture = case.search(algorithm).architecture
    assert SPACE.from_channels(architecture.as_dict()) == architecture


@both
@given(case=cases())
@some
def test_dropped_decoders_stand_at_their_smallest_width(algorithm: Algorithm, case: Case) -> None:
    architecture = case.search(algorithm).architecture
    for task in set(EVERYTHING) - set(case.tasks):
        group = SPACE.groups[SPACE.decoders[task]]
        assert architecture[group.name] == group.smallest


@both
@given(case=cases())
@some
def test_no_decoder_is_wider_than_equation_4_makes_it(algorithm: Algorithm, case: Case) -> None:
    architecture = case.search(algorithm).architecture
    for task, choice in Preference.of(SPACE, case.preference, case.tasks).decoder_choices().items():
        group = SPACE.groups[SPACE.decoders[task]]
        assert architecture[group.name] <= group.channels[choice]


@both
@given(case=cases())
@some
def test_a_decoder_below_equation_4_would_not_fit_any_wider(
    algorithm: Algorithm, case: Case
) -> None:
    # Of the tasks below Eq. 4 the most preferred, and those of equal preference with it.
    channels = case.search(algorithm).architecture.as_dict()
    preference = Preference.of(SPACE, case.preference, case.tasks)
    limits = {}
    for task, choice in preference.decoder_choices().items():
        group = SPACE.groups[SPACE.decoders[task]]
        limit = channels[group.within] if group.within else group.full
        limits[task] = min(group.channels[choice], limit)
    for level in reversed(preference.levels()):
        groups = [SPACE.groups[SPACE.decoders[t]] for t in level]
        wider = {
            g.name: min([c for c in g.channels if c > channels[g.name]], default=g.full)
            for g, t in zip(groups, level, strict=True)
            if channels[g.name] < limits[t]
        }
        if wider:
            architecture = SPACE.from_channels(channels | wider)
            assert COST.for_tasks(case.tasks).of(architecture) > case.budget
            break


@both
@given(case=cases())
@some
def test_the_same_seed_gives_the_same_answer(algorithm: Algorithm, case: Case) -> None:
    assert case.search(algorithm) == case.search(algorithm)


@both
@given(case=cases())
@some
def test_the_score_is_the_preference_weighted_one_and_at_most_the_optimum(
    algorithm: Algorithm, case: Case
) -> None:
    result = case.search(algorithm)
    channels_1G = np.array([result.architecture.channels])
    within = (SPACE.channels_of(case.feasible()) == channels_1G).all(axis=1)
    assert within.any()
    # Scores count to nine digits.
    assert result.score == pytest.approx(case.score(case.feasible()[within])[0], abs=1e-9)
    assert result.score <= case.optimum() + 1e-9


@given(case=cases())
@some
def test_evolution_is_never_worse_than_ecmt(case: Case) -> None:
    assert case.evolved() >= case.search("ecmt").score - 1e-9


@given(case=cases())
@some
def test_evolution_spends_what_is_left_of_the_budget(case: Case) -> None:
    """No group of the encoder would fit any wider."""
    channels = case.search("evolution").architecture.as_dict()
    cost = COST.for_tasks(case.tasks)
    for group in (SPACE.groups[g] for g in SPACE.encoder):
        wider = [c for c in group.channels if c > channels[group.name]]
        if wider:
            architecture = SPACE.from_channels(channels | {group.name: min(wider)})
            assert cost.of(architecture) > case.budget


@pytest.mark.parametrize("losses", sorted(LOSSES))
@pytest.mark.parametrize("preference", PREFERENCES)
@pytest.mark.parametrize("share", [0.0, 0.05, 0.2, 0.5, 0.9, 1.0, 2.0])
def test_evolution_finds_the_optimum(losses: str, preference: str, share: float) -> None:
    case = Case(losses, share, PREFERENCES[preference], EVERYTHING, seed=0)
    assert case.evolved() == pytest.approx(case.optimum())


@pytest.mark.parametrize("preference", PREFERENCES)
def test_a_larger_budget_is_never_worse(preference: str) -> None:
    # Where wider is better: budget widens decoders also against a predictor that would not.
    shares = np.linspace(0.0, 1.0, 9)
    found = [
        Case("wider is better", s, PREFERENCES[preference], EVERYTHING, seed=3) for s in shares
    ]
    scores = [case.search("evolution").score for case in found]
    assert np.all(np.diff(scores) >= -1e-12)


@both
def test_a_budget_of_exactly_the_smallest_gives_the_smallest(algorithm: Algorithm) -> None:
    case = Case("rugged", 0.0, {"animals": 1.0}, EVERYTHING, seed=0)
    assert case.search(algorithm).architecture == SPACE.smallest()


@both
def test_any_budget_above_the_largest_is_no_limit(algorithm: Algorithm) -> None:
    at, above = (Case("wider is better", s, {}, EVERYTHING, seed=0) for s in (1.0, 100.0))
    assert at.search(algorithm).architecture == SPACE.largest()
    assert above.search(algorithm) == at.search(algorithm)


@both
@pytest.mark.parametrize("tasks", [("animals",), ("depth", "edges"), EVERYTHING])
def test_a_budget_below_the_smallest_is_refused_with_the_range_of_the_task_set(
    algorithm: Algorithm, tasks: tuple[str, ...]
) -> None:
    least, most = Case("rugged", 0.0, {}, tasks, seed=0).range_macs
    with pytest.raises(InfeasibleBudget) as refusal:
        search(
            algorithm,
            SPACE,
            COST,
            wider_is_better,
            least - 1,
            {"depth": 1.0},
            np.random.default_rng(0),
            tasks,
        )
    assert (refusal.value.least, refusal.value.most) == (least, most)
    assert f"{least / 1e9:.6g} and {most / 1e9:.6g} GMACs" in str(refusal.value)


@both
def test_fewer_tasks_leave_more_budget_to_the_encoder(algorithm: Algorithm) -> None:
    budget = Case("wider is better", 0.4, {}, EVERYTHING, seed=0).budget
    all_tasks, one_task = (
        search(
            algorithm,
            SPACE,
            COST,
            wider_is_better,
            budget,
            {"animals": 1.0},
            np.random.default_rng(0),
            tasks,
        )
        for tasks in (None, ("animals",))
    )
    assert one_task.score > all_tasks.score


def test_the_order_in_which_tasks_and_preferences_are_named_does_not_matter() -> None:
    preference = {"animals": 0.2, "edges": 0.9}
    reordered = dict(reversed(preference.items()))
    one = Case("rugged", 0.4, preference, ("animals", "depth", "edges"), seed=5)
    other = Case("rugged", 0.4, reordered, ("edges", "animals", "depth"), seed=5)
    for algorithm in BOTH:
        assert one.search(algorithm) == other.search(algorithm)


def test_an_unknown_algorithm_is_refused() -> None:
    with pytest.raises(ValueError, match="search is one of ecmt, evolution, found 'random'"):
        Case("rugged", 0.5, {}, EVERYTHING, seed=0).search("random")  # type: ignore[arg-type]


@pytest.mark.parametrize("preference", PREFERENCES)
def test_no_preference_makes_a_budget_infeasible(preference: str) -> None:
    case = Case("wider is better", 0.001, PREFERENCES[preference], EVERYTHING, seed=0)
    problem: Problem = case.problem()
    assert problem.fits(problem.start_G[None])[0]
    assert case.search("ecmt").cost <= case.budget

"""Hypervolumes of answers, against other ways of counting the same volume."""

from fractions import Fraction
from itertools import combinations
from math import prod

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.training.evaluation.made import answer, dense_tasks, many_tasks, quality, results
from training.evaluation.results import Answers
from training.evaluation.volumes import static_volume, volume_of, volumes
from training.hypervolume import drawn_preferences, hypervolume, loss_reference

Points = NDArray[np.float64]


def by_inclusion_and_exclusion(points: Points, reference: int) -> float:
    """Over all subsets, in exact fractions."""
    exact = [[Fraction(x) for x in point] for point in points]
    total = Fraction(0)
    for size in range(1, len(exact) + 1):
        for chosen in combinations(exact, size):
            corner = [max(column) for column in zip(*chosen, strict=True)]
            total -= (-1) ** size * prod(reference - c for c in corner)
    return float(total)


def by_exclusive_parts(points: Points, reference: float) -> float:
    """WFG (While, Bradstreet, Barone 2012): what each point adds to those after it."""
    total = 0.0
    for i, point in enumerate(points):
        limited = np.maximum(points[i + 1 :], point)
        kept = [p for j, p in enumerate(limited) if not _dominated(p, j, limited)]
        rest = by_exclusive_parts(np.array(kept), reference) if kept else 0.0
        total += float(np.prod(reference - point)) - rest
    return total


def _dominated(point: Points, index: int, points: Points) -> bool:
    below = np.all(points <= point, axis=1)
    below[index] = False
    equal = np.all(points == point, axis=1)
    return bool(np.any(below & ~equal) or np.any(equal[:index]))


@pytest.mark.parametrize("seed", range(3))
def test_few_tasks_agree_with_exact_fractions(seed: int) -> None:
    points = np.random.default_rng(seed).uniform(0, 3.5, (8, 5))
    assert hypervolume(points, 3.0) == pytest.approx(
        by_inclusion_and_exclusion(points[np.all(points < 3.0, axis=1)], 3), rel=1e-12
    )


@pytest.mark.parametrize("seed", range(2))
def test_twenty_networks_of_twenty_tasks_agree_with_another_algorithm(seed: int) -> None:
    """Losses that hang together, as those of sub-networks do, so that many volumes overlap."""
    rng = np.random.default_rng(seed)
    points = np.clip(rng.uniform(0.1, 0.5, (20, 1)) + rng.normal(0, 0.05, (20, 20)), 0.0, 0.9)
    assert hypervolume(points, 1.0) == pytest.approx(by_exclusive_parts(points, 1.0), rel=1e-9)


@pytest.mark.parametrize(("tasks", "reference"), [(3, 4.0), (5, 3.0), (20, 1.0)])
def test_reference_points_are_the_papers(tasks: int, reference: float) -> None:
    """Tables 1, 2 and 3."""
    assert loss_reference(tasks) == reference


def test_preferences_lie_on_the_simplex() -> None:
    """With α = 0.2 one task dominates; with α = 1 and 20 tasks none does."""
    few, many = (drawn_preferences([str(i) for i in range(n)], 200, 0) for n in (5, 20))
    for preference in (*few, *many):
        assert sum(preference.values()) == pytest.approx(1.0)
    # The mean of the largest share, by the formulas of order statistics: harmonic(20) / 20.
    assert np.mean([max(p.values()) for p in many]) == pytest.approx(
        sum(1 / i for i in range(1, 21)) / 20, abs=0.02
    )
    assert np.mean([max(p.values()) for p in few]) > 0.6
    assert few == drawn_preferences([str(i) for i in range(5)], 200, 0)


def test_losses_and_errors_of_one_network_are_boxes() -> None:
    tasks = dense_tasks()
    found = volume_of(tasks, [quality(tasks, 0.25)])
    assert found.losses == pytest.approx(2.75**5)
    # Errors: 1 - mIoU, relative depth, degrees over 90, 1 - F1, 1 - IoU.
    assert found.errors == pytest.approx(0.75**4 * (1 - 0.25 / 90))
    assert found.beyond == 0


def test_networks_beyond_the_reference_point_are_counted() -> None:
    tasks = many_tasks()
    found = volume_of(tasks, [quality(tasks, 1.5, metric=0.5), quality(tasks, 0.5)])
    assert found.beyond == 1
    assert found.losses == pytest.approx(0.5**20)


def test_a_static_network_is_one_point_for_every_preference() -> None:
    found = static_volume(results(static=0.5))
    assert found is not None
    assert found.losses == pytest.approx(2.5**5)
    assert static_volume(results(static=None)) is None


def test_every_search_and_budget_has_a_volume() -> None:
    found = {(v.algorithm, v.share): v for v in volumes(results(ecmt=0.5, evolution=0.25))}
    assert set(found) == {(a, s) for a in ("ecmt", "evolution") for s in (1.0, 0.44)}
    assert found["ecmt", 1.0].volume.losses == pytest.approx(2.5**5)
    assert found["evolution", 0.44].volume.losses == pytest.approx(2.75**5)
    assert found["evolution", 0.44].gmacs == pytest.approx(0.99 * 0.44)


def test_what_was_not_measured_is_predicted() -> None:
    """0.5 for every loss."""
    tasks = dense_tasks()
    even = dict.fromkeys([t.name for t in tasks], 1.0)
    asked = [answer(tasks, a, 1.0, even, None) for a in ("ecmt", "evolution")]
    made = results().model_copy(update={"answers": Answers(answers=tuple(asked))})
    assert volumes(made)[0].volume.losses == pytest.approx(2.5**5)

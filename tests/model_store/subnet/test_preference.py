"""Preferences: ECMT Eq. 4 by hand, and the traps of min-max normalisation."""

import numpy as np
import pytest

from model_store.subnet.preference import Preference
from model_store.subnet.space import Group, SearchSpace

TENTHS = tuple(round(0.1 * n, 1) for n in range(2, 11))

SPACE = SearchSpace(
    (
        Group.of("stage", 100, TENTHS, 10),
        *(Group.of(f"decoder.{t}", 100, TENTHS, 10, task=t) for t in ("a", "b", "c")),
    )
)


def preference(tasks: tuple[str, ...] | None = None, **tau: float) -> Preference:
    return Preference.of(SPACE, tau, tasks)


def decoder_ratios(of: Preference) -> dict[str, float]:
    groups = {t: SPACE.groups[i] for t, i in SPACE.decoders.items()}
    return {t: groups[t].ratios[choice] for t, choice in of.decoder_choices().items()}


def test_equation_4_by_hand() -> None:
    # Min-max: (0.7 - 0.1) / 0.8 = 0.75; Eq. 4: 0.2 + 0.8 * 0.75 = 0.8.
    assert decoder_ratios(preference(a=0.1, b=0.7, c=0.9)) == {"a": 0.2, "b": 0.8, "c": 1.0}
    # Min-max: 0.3 / 1 = 0.3; Eq. 4: 0.2 + 0.8 * 0.3 = 0.44, of which 0.4 is the nearest.
    assert decoder_ratios(preference(a=0.3, b=1.0)) == {"a": 0.4, "b": 1.0, "c": 0.2}


def test_halfway_between_two_widths_the_wider_one_is_taken() -> None:
    # 0.2 + 0.8 * 0.0625 = 0.25
    assert decoder_ratios(preference(a=0.0625, b=1.0))["a"] == 0.3


def test_only_kept_tasks_are_normalised() -> None:
    kept = preference(("a", "b"), a=0.3, b=0.5, c=1.0)
    assert decoder_ratios(kept) == {"a": 0.2, "b": 1.0}


@pytest.mark.parametrize(
    "tau", [{}, {"a": 0.3, "b": 0.3, "c": 0.3}, {"a": 0.1 + 0.2, "b": 0.3, "c": 0.3}]
)
def test_equal_preferences_give_every_decoder_its_full_width(tau: dict[str, float]) -> None:
    equal = Preference.of(SPACE, tau, None)
    assert decoder_ratios(equal) == {"a": 1.0, "b": 1.0, "c": 1.0}
    np.testing.assert_allclose(equal.weights_N(), [1 / 3, 1 / 3, 1 / 3])
    np.testing.assert_allclose(equal.most_preferred_N(), [1 / 3, 1 / 3, 1 / 3])


def test_one_task_alone_has_its_full_width() -> None:
    alone = preference(("b",), b=0.0)
    assert decoder_ratios(alone) == {"b": 1.0}
    np.testing.assert_array_equal(alone.weights_N(), [0, 1, 0])


def test_tasks_count_in_proportion_to_their_preference() -> None:
    np.testing.assert_allclose(preference(a=0.2, c=0.6).weights_N(), [0.25, 0, 0.75])


def test_tasks_that_share_the_first_place_count_alike() -> None:
    np.testing.assert_array_equal(preference(a=0.2, b=0.9).most_preferred_N(), [0, 1, 0])
    np.testing.assert_array_equal(preference(a=0.9, c=0.9).most_preferred_N(), [0.5, 0, 0.5])


def test_levels_go_from_the_least_preferred_to_the_most() -> None:
    assert preference(a=0.9, b=0.1, c=0.9).levels() == [["b"], ["a", "c"]]


@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan"), float("inf")])
def test_preferences_outside_0_and_1_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r"preference of 'a' must lie in \[0, 1\]"):
        preference(a=value)


def test_unknown_tasks_are_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown tasks: d; the tasks are a, b, c"):
        preference(d=1.0)
    with pytest.raises(ValueError, match="unknown tasks: d; the tasks are a, b, c"):
        preference(("a", "d"))


def test_a_network_without_tasks_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one task expected, of a, b, c"):
        preference(())

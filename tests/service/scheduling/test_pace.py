import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.scheduling.pace import LONGEST_S, Pace


def test_before_anything_was_measured_it_is_a_second() -> None:
    assert Pace().retry_after(ahead=100, slots=1) == 1


@pytest.mark.parametrize(
    ("ahead", "slots", "expected"),
    [
        (0, 1, 1),  # never at once
        (10, 1, 5),  # 10 of half a second each
        (10, 2, 3),  # 2.5 s, rounded up
        (10_000, 2, LONGEST_S),
    ],
)
def test_it_is_the_time_that_what_is_ahead_takes(ahead: int, slots: int, expected: int) -> None:
    pace = Pace()
    pace.note(0.5)
    assert pace.retry_after(ahead, slots) == expected


def test_a_batch_counts_for_each_of_its_pieces() -> None:
    pace = Pace()
    pace.note(4.0, pieces=8)
    assert pace.retry_after(ahead=8, slots=1) == 4


@given(st.lists(st.floats(0.1, 3.0), min_size=1, max_size=50))
def test_it_stays_within_what_was_measured(seconds: list[float]) -> None:
    pace = Pace()
    for each in seconds:
        pace.note(each)
    assert min(seconds) * 10 <= pace.retry_after(10, 1) + 1e-6
    assert pace.retry_after(10, 1) <= max(seconds) * 10 + 1


def test_it_follows_a_change() -> None:
    pace = Pace()
    pace.note(10.0)
    for _ in range(100):
        pace.note(1.0)
    assert pace.retry_after(ahead=10, slots=1) <= 11

"""The autopilot's state machine against a service simulated exactly."""

import itertools
from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.autopilot.controller import Rules, State, Window, after

LEVELS = 4
RULES = Rules(objective_ms=200.0, levels=LEVELS, patience=100)


@dataclass
class Simulated:
    """A queue served at a rate that depends on the level, window by window."""

    capacities: tuple[int, ...]
    """Requests that a window has time for, by level."""
    limit: int = 200
    """The most that wait; further ones are refused."""
    window_ms: float = 500.0
    waiting: int = 0

    def window(self, level: int, arrived: int) -> Window:
        capacity = self.capacities[level]
        there = self.waiting + arrived
        answered = min(there, capacity)
        left = there - answered
        refused = max(0, left - self.limit)
        # What comes last waits for all that is before it, and takes its own time.
        latency = self.window_ms * (max(self.waiting, left - refused) + 1) / capacity
        self.waiting = left - refused
        return Window(latency if answered else 0.0, arrived, answered, refused, self.waiting)


def walk(service: Simulated, loads: list[int], state: State | None = None) -> list[State]:
    states = [state or State()]
    for arrived in loads:
        states.append(after(states[-1], service.window(states[-1].level, arrived), RULES))
    return states


capacities = st.lists(st.floats(1.1, 3.0), min_size=LEVELS, max_size=LEVELS).flatmap(
    lambda gains: st.integers(10, 100).map(lambda first: _growing(first, gains))
)


def _growing(first: int, gains: list[float]) -> tuple[int, ...]:
    found = [first]
    for gain in gains:
        found.append(int(found[-1] * gain) + 1)
    return tuple(found)


@given(capacities, st.integers(0, 400))
def test_on_constant_load_it_settles_and_never_falls_after_it_rose(
    capacity: tuple[int, ...], load: int
) -> None:
    # It may rise again once a backlog is gone that the level above was too slow to work off.
    levels = [s.level for s in walk(Simulated(capacity), [load] * RULES.patience)]
    lowest = levels.index(max(levels))
    assert levels[: lowest + 1] == sorted(levels[: lowest + 1])
    assert levels[lowest:] == sorted(levels[lowest:], reverse=True)


@given(capacities, st.integers(0, 400))
def test_on_constant_load_attempts_to_rise_become_rare(
    capacity: tuple[int, ...], load: int
) -> None:
    levels = [s.level for s in walk(Simulated(capacity), [load] * (20 * RULES.patience))]
    ups = sum(b < a for a, b in itertools.pairwise(levels))
    # A level is tried again after 1, 3, 7, 15 ... patiences: at most four times in twenty.
    assert ups <= 5 * LEVELS


@given(capacities, st.lists(st.integers(0, 400), max_size=60))
def test_the_level_is_bounded_and_moves_one_step_at_a_time(
    capacity: tuple[int, ...], loads: list[int]
) -> None:
    levels = [s.level for s in walk(Simulated(capacity), loads)]
    assert all(0 <= level <= LEVELS for level in levels)
    assert all(abs(b - a) <= 1 for a, b in itertools.pairwise(levels))


@given(capacities, st.integers(1, 200), st.integers(0, 200))
def test_more_load_never_settles_at_a_larger_subnetwork(
    capacity: tuple[int, ...], load: int, more: int
) -> None:
    settled = [
        walk(Simulated(capacity), [n] * RULES.patience)[-1].level for n in (load, load + more)
    ]
    assert settled[0] <= settled[1]


@given(capacities)
@example((100, 200, 400, 800, 1400))
def test_overload_ends_where_a_level_can_bear_nine_tenths_of_it(capacity: tuple[int, ...]) -> None:
    load = int(0.6 * capacity[-1])
    service = Simulated(capacity)
    last = walk(service, [load] * RULES.patience)[-1]
    assert 0.9 * load <= capacity[last.level]
    assert service.window(last.level, load).latency_ms <= RULES.objective_ms or service.waiting == 0


@given(capacities)
def test_when_the_load_is_gone_it_comes_back_up(capacity: tuple[int, ...]) -> None:
    service = Simulated(capacity)
    burst = walk(service, [2 * capacity[-1]] * (2 * RULES.patience))[-1]
    assert burst.level == LEVELS
    assert walk(service, [0] * (10 + RULES.calm * LEVELS + service.limit), burst)[-1].level == 0


@given(st.integers(0, 10_000))
def test_a_service_that_holds_its_objective_is_left_alone(load: int) -> None:
    states = walk(Simulated((100_000,) * (LEVELS + 1)), [load] * 50)
    assert {s.level for s in states} == {0}


def test_a_single_slow_window_changes_nothing() -> None:
    slow, quick = Window(900.0, 10, 10, 0, 0), Window(20.0, 10, 10, 0, 0)
    state = State()
    for window in (slow, quick) * 10:
        state = after(state, window, RULES)
    assert state.level == 0


@pytest.mark.parametrize(("refused", "level"), [(1, 0), (10, 0), (11, 1), (100, 1)])
def test_it_goes_down_where_more_than_one_in_ten_is_refused(refused: int, level: int) -> None:
    state = State()
    for _ in range(RULES.breaches):
        state = after(state, Window(20.0, 100, 100 - refused, refused, 0), RULES)
    assert state.level == level


def test_it_does_not_come_up_while_any_is_refused() -> None:
    state = State(level=1)
    for _ in range(RULES.calm):
        state = after(state, Window(20.0, 100, 99, 1, 0), RULES)
    assert state.level == 1


def test_what_gets_better_is_left_alone() -> None:
    state = State(waiting=100)
    for waiting in (80, 60, 40, 20, 0):
        state = after(state, Window(900.0, 10, 30, 0, waiting), RULES)
    assert state.level == 0


def test_after_a_step_it_waits_for_what_was_admitted_before() -> None:
    state = State()
    for _ in range(2):
        state = after(state, Window(900.0, 50, 10, 0, 100), RULES)
    assert (state.level, state.flushing) == (1, 100)
    for _ in range(10):
        state = after(state, Window(900.0, 10, 10, 0, 100), RULES)
    assert state.level == 1
    for _ in range(2):
        state = after(state, Window(900.0, 10, 10, 0, 100), RULES)
    assert state.level == 2


@pytest.mark.parametrize(("objective", "levels"), [(0.0, 4), (-1.0, 4), (100.0, 0)])
def test_rules_that_make_no_sense_are_refused(objective: float, levels: int) -> None:
    with pytest.raises(ValueError, match="positive objective and at least one level"):
        Rules(objective, levels)

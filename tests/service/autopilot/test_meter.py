"""What a window tells of the predictions in it, on a clock that the tests move."""

import asyncio
import math

import pytest

from service.autopilot.controller import Rules, State, Window, after
from service.autopilot.meter import Meter
from service.errors import DeadlineError, OverloadedError

RULES = Rules(objective_ms=200.0, levels=4)
CALM_MS = RULES.headroom * RULES.objective_ms


class Clock:
    """An event loop, as far as the meter uses it."""

    now = 0.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: clock)
    return clock


@pytest.fixture
def meter() -> Meter:
    return Meter(CALM_MS)


def take(
    meter: Meter,
    clock: Clock,
    ms: float,
    error: BaseException | None = None,
    *,
    before_ms: float = 0.0,
) -> None:
    """One prediction that is answered after some time, or ends with an error.

    Its request may have come some time before the prediction could queue.
    """
    since = clock.now
    clock.now += before_ms / 1e3
    try:
        with meter.prediction(since):
            clock.now += ms / 1e3
            if error is not None:
                raise error
    except BaseException as raised:
        if raised is not error:
            raise


@pytest.mark.parametrize("cancelled", [asyncio.CancelledError(), DeadlineError("over")])
def test_who_leaves_while_all_may_be_calm_says_nothing_of_the_service(
    meter: Meter, clock: Clock, cancelled: BaseException
) -> None:
    take(meter, clock, 20.0)
    for _ in range(9):
        take(meter, clock, CALM_MS - 1, cancelled)
    assert meter.window(0) == Window(20.0, 10, 1, 0, 0)


@pytest.mark.parametrize("cancelled", [asyncio.CancelledError(), DeadlineError("over")])
def test_who_sends_the_objective_as_deadline_and_misses_it_counts_as_never_answered(
    meter: Meter, clock: Clock, cancelled: BaseException
) -> None:
    for _ in range(8):
        take(meter, clock, 20.0)
    for _ in range(2):
        take(meter, clock, 20.0, cancelled, before_ms=RULES.objective_ms - 20)
    window = meter.window(0)
    assert window == Window(math.inf, 10, 8, 0, 0)
    assert after(State(), window, RULES).breached == 1


def test_what_a_request_waits_for_before_it_may_queue_makes_no_answer_late(
    meter: Meter, clock: Clock
) -> None:
    take(meter, clock, 20.0, before_ms=10 * RULES.objective_ms)  # its sub-network was built
    assert meter.window(0).latency_ms == pytest.approx(20.0)


def test_one_late_in_ten_is_within_the_objective(meter: Meter, clock: Clock) -> None:
    for _ in range(9):
        take(meter, clock, 20.0)
    take(meter, clock, RULES.objective_ms, DeadlineError("over"))
    window = meter.window(0)
    assert window.latency_ms == pytest.approx(20.0)
    assert (window.arrived, window.answered, window.refused) == (10, 9, 0)


def test_who_finds_no_room_is_refused(meter: Meter, clock: Clock) -> None:
    take(meter, clock, 20.0)
    take(meter, clock, 0.0, OverloadedError("full", 1))
    assert meter.window(7) == Window(20.0, 2, 1, 1, 7)


def test_every_window_begins_with_nothing(meter: Meter, clock: Clock) -> None:
    take(meter, clock, 20.0)
    take(meter, clock, RULES.objective_ms, DeadlineError("over"))
    take(meter, clock, 0.0, OverloadedError("full", 1))
    meter.window(0)
    assert meter.window(0) == Window(0.0, 0, 0, 0, 0)

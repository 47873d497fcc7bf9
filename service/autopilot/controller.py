"""When to walk down to smaller sub-networks and when back up: a small state machine, pure.

Level 0 serves what was asked, the last level the smallest. Time goes in windows of equal length.

Down: the objective was missed for some windows in a row, and what waits does not get less. After a
step nothing is judged until the predictions that had waited before it are done, since they were
admitted at the old level.

Up: for some windows in a row the objective was held with room to spare, and *either* fewer requests
arrive than the level above is known to have answered when it failed, with a margin, *or* a long
time has passed since it failed, and every failure doubles that time. So on constant load it settles
instead of swinging, and a failure that had another reason than load is not held against a level for
good.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Window:
    """What happened in a window."""

    latency_ms: float
    """Of nine of ten predictions that were answered or cancelled late, from their arrival on; 0 if
    there were none, infinity if more than one in ten were cancelled late."""
    arrived: int
    """Requests, those that were refused or cancelled included."""
    answered: int
    refused: int
    """Requests for which there was no room."""
    waiting: int
    """Predictions that wait at its end."""


@dataclass(frozen=True)
class Rules:
    """How the levels are walked."""

    objective_ms: float
    levels: int
    """Levels below what was asked, at least 1."""
    breaches: int = 2
    """Windows in a row after which it goes down."""
    calm: int = 4
    """Windows in a row after which it may go up."""
    headroom: float = 0.7
    """A window is calm if its latency is below this share of the objective."""
    margin: float = 0.8
    """Arrivals must be below this share of what the level above answered when it failed."""
    patience: int = 120
    """Windows after its first failure until a level is tried again on the same load."""

    def __post_init__(self) -> None:
        if self.objective_ms <= 0 or self.levels < 1:
            raise ValueError("a positive objective and at least one level are needed")


@dataclass(frozen=True)
class Failure:
    """How a level failed."""

    answered: int
    """Requests that it answered in a window."""
    again_at: int
    """The window from which on it may be tried on any load."""
    times: int


@dataclass(frozen=True)
class State:
    """The level, and what is remembered."""

    level: int = 0
    window: int = 0
    breached: int = 0
    """Breached windows in a row."""
    calm: int = 0
    """Calm windows in a row."""
    flushing: int = 0
    """Predictions still to be done that were admitted before the last step down."""
    waiting: int = 0
    """What waited at the end of the last window."""
    failures: tuple[tuple[int, Failure], ...] = ()
    """Level to its last failure."""


def after(state: State, window: Window, rules: Rules) -> State:
    """The state after a window. The level changes by at most one."""
    # The objective is one of nine of ten, so a tenth may be refused as well.
    late = window.latency_ms > rules.objective_ms or 10 * window.refused > window.arrived
    improving = window.waiting < 0.9 * state.waiting
    calm = window.latency_ms <= rules.headroom * rules.objective_ms and not window.refused
    flushing = max(0, state.flushing - window.answered)
    breached = state.breached + 1 if late and not improving and not state.flushing else 0
    next_ = replace(
        state,
        window=state.window + 1,
        flushing=flushing if window.waiting else 0,
        breached=breached,
        calm=state.calm + 1 if calm else 0,
        waiting=window.waiting,
    )
    if next_.breached >= rules.breaches and state.level < rules.levels:
        return _down(next_, window, rules)
    if next_.calm >= rules.calm and state.level > 0 and _may_rise(next_, window, rules):
        return replace(next_, level=state.level - 1, breached=0, calm=0)
    return next_


def _down(state: State, window: Window, rules: Rules) -> State:
    known = dict(state.failures)
    times = known[state.level].times + 1 if state.level in known else 1
    again_at = state.window + rules.patience * 2 ** (times - 1)
    known[state.level] = Failure(window.answered, again_at, times)
    return replace(
        state,
        level=state.level + 1,
        breached=0,
        calm=0,
        flushing=window.waiting,
        failures=tuple(sorted(known.items(), key=lambda item: item[0])),
    )


def _may_rise(state: State, window: Window, rules: Rules) -> bool:
    failure = dict(state.failures).get(state.level - 1)
    if failure is None:
        return True
    return window.arrived < rules.margin * failure.answered or state.window >= failure.again_at

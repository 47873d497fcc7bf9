"""The simulation that checks the arithmetic: every request, every core, every session pool.

Two clocks. Entries of Redis live for hours and depend on when requests come, not on how long they
wait: they are followed over many lifetimes on their own (:func:`follow_entries`). Replicas are
followed request by request over as long as there are requests to simulate (:class:`Simulation`),
from full session pools and the entries that the first clock ended with.
"""

import heapq
from collections import deque
from dataclasses import dataclass, field
from itertools import count
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.capacity.workload import Costs, Replica, Traffic

_LIFETIMES = 8
"""Lifetimes over which entries are followed; the first half is not counted."""

_WARM_UP = 0.2
"""Share of the requests that are not counted, since replicas start idle."""


@dataclass(frozen=True)
class Entries:
    """What became of Redis, which was empty in the beginning."""

    alive: float
    """Sub-networks in it, on average."""
    builds_per_s: float
    busiest_minute: int
    """The most builds of a minute once the first entries' time is over."""
    left_M: NDArray[np.float64]
    """Seconds that each entry has left to live; 0 where there is none."""


def follow_entries(
    traffic: Traffic, ttl_s: float, rng: np.random.Generator, at_once: bool = False
) -> Entries:
    """Draws when each dial is built: at its first request, and at the first after its time.

    Args:
        traffic: what is asked for.
        ttl_s: how long an entry lives.
        rng: the only source of chance.
        at_once: all dials are asked for from the first second on, as when Redis was emptied. Else
            they come up over the first lifetime, as when users come one after the other.
    """
    rate_M = traffic.rate * traffic.popularity()
    gaps_KM = rng.exponential(1 / rate_M, size=(_LIFETIMES + 1, traffic.dials))
    gaps_KM[1:] += ttl_s
    if not at_once:
        gaps_KM[0] += rng.uniform(0, ttl_s, traffic.dials)
    built_KM = gaps_KM.cumsum(axis=0)
    end, half = _LIFETIMES * ttl_s, _LIFETIMES * ttl_s / 2
    overlap_KM = np.minimum(built_KM + ttl_s, end) - np.maximum(built_KM, half)
    later = built_KM[(built_KM >= ttl_s) & (built_KM < end)]
    minutes = np.bincount((later / 60).astype(np.int64), minlength=1)
    left_KM = np.where(built_KM < end, built_KM + ttl_s - end, 0.0)
    return Entries(
        alive=float(overlap_KM.clip(0).sum()) / half,
        builds_per_s=float(((built_KM >= half) & (built_KM < end)).sum()) / half,
        busiest_minute=int(minutes.max()),
        left_M=left_KM.max(axis=0).clip(0),
    )


@dataclass(frozen=True)
class Outcome:
    """What was seen, after the warm-up."""

    utilisation: float
    session_hits: float
    wait_mean_s: float
    wait_p99_s: float
    built_for: float
    """Share of the predictions that found no entry in Redis."""


@dataclass(frozen=True)
class _Job:
    kind: Literal["predict", "load", "build"]
    """``load`` makes the session and predicts."""
    dial: int
    submitted: float


@dataclass
class _State:
    """One replica."""

    free: int
    pool: dict[int, None]
    """Sessions held, least recently used first."""
    queue: deque[_Job] = field(default_factory=deque)
    loading: dict[int, int] = field(default_factory=dict)
    """Dials whose session is being made, and how many more predictions wait for it."""


class Simulation:
    """Replicas behind a load balancer that picks at random, with one Redis."""

    def __init__(
        self,
        traffic: Traffic,
        costs: Costs,
        replica: Replica,
        replicas: int,
        rng: np.random.Generator,
    ) -> None:
        """Fills the session pools and Redis.

        Args:
            traffic: what is asked for.
            costs: of the model.
            replica: one of them.
            replicas: their number.
            rng: the only source of chance.
        """
        self._traffic, self._costs, self._replica, self._rng = traffic, costs, replica, rng
        self._places = replica.sessions(costs)
        self._cumulative_M = traffic.popularity().cumsum()
        self._predict_s = costs.predict_of(traffic.dials).tolist()
        self._states = [_State(replica.cores, self._full_pool()) for _ in range(replicas)]
        self._expires: list[float] = follow_entries(traffic, replica.ttl_s, rng).left_M.tolist()
        self._building: dict[int, list[int]] = {}
        self._events: list[tuple[float, int, int, _Job]] = []
        self._numbers = count()
        self._counted_from = 0.0
        self._busy_s = 0.0
        self._hits = self._without_entry = 0
        self._waits: list[float] = []

    def run(self, requests: int) -> Outcome:
        """Follows so many requests."""
        times = self._rng.exponential(1 / self._traffic.rate, requests).cumsum().tolist()
        dials = self._draw(requests)
        places = self._rng.integers(len(self._states), size=requests).tolist()
        skipped = int(requests * _WARM_UP)
        self._counted_from = times[skipped]
        for now, dial, place in zip(times, dials, places, strict=True):
            while self._events and self._events[0][0] <= now:
                self._finish(*heapq.heappop(self._events))
            self._arrive(now, place, dial)
        window = (times[-1] - self._counted_from) * len(self._states) * self._replica.cores
        counted = requests - skipped
        return Outcome(
            utilisation=self._busy_s / window,
            session_hits=self._hits / counted,
            wait_mean_s=float(np.mean(self._waits)),
            wait_p99_s=float(np.quantile(self._waits, 0.99)),
            built_for=self._without_entry / counted,
        )

    def _arrive(self, now: float, place: int, dial: int) -> None:
        state, counted = self._states[place], now >= self._counted_from
        if self._expires[dial] <= now:
            self._without_entry += counted
            if dial in self._building:
                self._building[dial].append(place)
                return
            self._building[dial] = [place]
            self._submit(now, place, _Job("build", dial, now))
            return
        self._hits += counted and dial in state.pool
        self._with_entry(now, place, dial)

    def _with_entry(self, now: float, place: int, dial: int) -> None:
        state = self._states[place]
        if dial in state.pool:
            del state.pool[dial]
            state.pool[dial] = None
            self._submit(now, place, _Job("predict", dial, now))
        elif dial in state.loading:
            state.loading[dial] += 1
        else:
            state.loading[dial] = 0
            self._submit(now, place, _Job("load", dial, now))

    def _submit(self, now: float, place: int, job: _Job) -> None:
        state = self._states[place]
        if state.free:
            self._start(now, place, job)
        else:
            state.queue.append(job)

    def _start(self, now: float, place: int, job: _Job) -> None:
        self._states[place].free -= 1
        seconds = self._costs.build_s if job.kind == "build" else self._predict_s[job.dial]
        if job.kind == "load":
            seconds += self._costs.load_s
        if now >= self._counted_from:
            self._busy_s += seconds
            if job.kind != "build":
                self._waits.append(now - job.submitted)
        heapq.heappush(self._events, (now + seconds, next(self._numbers), place, job))

    def _finish(self, now: float, _: int, place: int, job: _Job) -> None:
        state = self._states[place]
        state.free += 1
        if state.queue:
            self._start(now, place, state.queue.popleft())
        if job.kind == "load":
            state.pool[job.dial] = None
            if len(state.pool) > self._places:
                del state.pool[next(iter(state.pool))]
            for _ in range(state.loading.pop(job.dial)):
                self._submit(now, place, _Job("predict", job.dial, now))
        elif job.kind == "build":
            self._expires[job.dial] = now + self._replica.ttl_s
            for waiting in self._building.pop(job.dial):
                self._with_entry(now, waiting, job.dial)

    def _full_pool(self) -> dict[int, None]:
        """The pool of a replica that has long been at work: the dials drawn last."""
        pool: dict[int, None] = {}
        places = min(self._places, self._traffic.dials)
        while len(pool) < places:
            # Backwards in time: what is drawn first was used last.
            for dial in self._draw(4 * places):
                if len(pool) < places:
                    pool.setdefault(dial)
        return dict.fromkeys(reversed(pool))

    def _draw(self, number: int) -> list[int]:
        at = self._rng.random(number) * self._cumulative_M[-1]
        drawn: list[int] = self._cumulative_M.searchsorted(at, "right").tolist()
        return drawn

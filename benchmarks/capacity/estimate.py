"""The arithmetic: closed forms for hit ratios, waiting, replicas and Redis.

A core does one piece of work at a time, first come, first served: a prediction, with the making of
its session where that is not held, or a build. So a replica is a queue M/G/c. Builds count as load,
but are too rare to count in the spread of its service times.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.capacity.workload import Costs, Replica, Traffic

BUSIEST = 0.8
"""No more of a core's time is planned for: above it waiting grows without bound."""


@dataclass(frozen=True)
class Estimate:
    """What the traffic needs."""

    replicas: int
    utilisation: float
    """Busy share of the cores."""
    session_hits: float
    """Share of the predictions that find their session in the replica."""
    wait_mean_s: float
    """Of a prediction, for a core."""
    wait_p99_s: float
    builds_per_s: float
    """Sub-networks that are built anew since their entry's time was over, of all replicas."""
    redis_entries: float
    """Sub-networks in Redis, on average."""
    redis_bytes: float
    """Memory of Redis for all dials at once, so that none is ever driven out."""
    redis_bytes_per_s: float
    redis_commands_per_s: float
    fill_s: float
    """Until an empty Redis holds all dials, at one build at a time in each replica."""


@dataclass(frozen=True)
class Work:
    """What the cores have to do, whatever their number."""

    cores: float
    """Cores that are busy on average: offered load."""
    mean_s: float
    """Of a prediction, with the making of its session where that is not held."""
    variation: float
    """Squared coefficient of variation of the same."""
    session_hits: float
    builds_per_s: float
    redis_entries: float


def work(traffic: Traffic, costs: Costs, replica: Replica) -> Work:
    """The jobs that the traffic makes: predictions, loads and builds."""
    share_M, short_M = traffic.popularity(), costs.predict_of(traffic.dials)
    long_M = short_M + costs.load_s
    held_M = che(share_M, replica.sessions(costs))
    mean = float(share_M @ (held_M * short_M + (1 - held_M) * long_M))
    square = float(share_M @ (held_M * short_M**2 + (1 - held_M) * long_M**2))
    # Built, it lives for the TTL, then waits for the next request: a renewal every T + 1/λ.
    rate_M = traffic.rate * share_M
    alive_M = rate_M * replica.ttl_s / (1 + rate_M * replica.ttl_s)
    builds = float(alive_M.sum()) / replica.ttl_s
    return Work(
        cores=traffic.rate * mean + builds * costs.build_s,
        mean_s=mean,
        variation=square / mean**2 - 1,
        session_hits=float(share_M @ held_M),
        builds_per_s=builds,
        redis_entries=float(alive_M.sum()),
    )


def che(share_M: NDArray[np.float64], places: int) -> NDArray[np.float64]:
    """The probability that a least-recently-used cache holds each item, [M].

    Che's approximation (Che, Tung and Wang 2002): an item is held if it was asked for within the
    characteristic time t, and t is such that as many are held as there are places.

    Args:
        share_M: popularity of the items, sums to 1.
        places: how many fit.
    """
    if places >= len(share_M):
        return np.ones_like(share_M)
    low, high = 0.0, 1.0
    while (1 - np.exp(-share_M * high)).sum() < places:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        if (1 - np.exp(-share_M * middle)).sum() < places:
            low = middle
        else:
            high = middle
    held_M: NDArray[np.float64] = 1 - np.exp(-share_M * high)
    return held_M


def erlang_c(servers: int, load: float) -> float:
    """The probability that an arrival must wait in M/M/c.

    Args:
        servers: c.
        load: offered load in servers; at or above c every arrival waits.
    """
    if load >= servers:
        return 1.0
    # Erlang B by its recursion, which neither over- nor underflows.
    blocked = 1.0
    for n in range(1, servers + 1):
        blocked = load * blocked / (n + load * blocked)
    return blocked / (1 - load / servers * (1 - blocked))


def waiting(cores: int, load: float, mean_s: float, variation: float) -> tuple[float, float]:
    """Mean and 99th percentile of the wait in one M/G/c queue, in seconds.

    Mean: that of M/M/c times (1 + variation) / 2 (Lee and Longton 1959), which is exact for one
    core (Pollaczek-Khinchine). Those who wait are taken to do so exponentially long.

    Args:
        cores: c.
        load: offered load in cores.
        mean_s: mean service time.
        variation: its squared coefficient of variation.
    """
    if load >= cores:
        return math.inf, math.inf
    must = erlang_c(cores, load)
    those = mean_s / (cores - load) * (1 + variation) / 2
    return must * those, those * max(0.0, math.log(must / 0.01))


def estimate(
    traffic: Traffic, costs: Costs, replica: Replica, wait_s: float, replicas: int | None = None
) -> Estimate:
    """The fewest replicas whose predictions wait no longer than asked, and what Redis needs.

    Args:
        traffic: what is asked for; a load balancer spreads it at random.
        costs: of the model.
        replica: one of them.
        wait_s: the longest that 99 of 100 predictions may wait for a core.
        replicas: their number, where it is given; then the wait is what comes of it.
    """
    todo = work(traffic, costs, replica)

    def wait(count: int) -> tuple[float, float]:
        return waiting(replica.cores, todo.cores / count, todo.mean_s, todo.variation)

    count = replicas or math.ceil(todo.cores / (replica.cores * BUSIEST))
    while replicas is None and wait(count)[1] > wait_s:
        count += max(1, count // 100)
    mean, p99 = wait(count)
    return Estimate(
        replicas=count,
        utilisation=todo.cores / (count * replica.cores),
        session_hits=todo.session_hits,
        wait_mean_s=mean,
        wait_p99_s=p99,
        builds_per_s=todo.builds_per_s,
        redis_entries=todo.redis_entries,
        redis_bytes=float(traffic.dials * costs.entry_bytes),
        redis_bytes_per_s=traffic.rate * (1 - todo.session_hits) * costs.onnx_bytes,
        redis_commands_per_s=traffic.rate * costs.commands,
        fill_s=traffic.dials * costs.build_s / count,
    )

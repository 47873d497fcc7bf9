"""The arithmetic of capacity against textbooks, brute force, and the simulation."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks.capacity.__main__ import app, compare
from benchmarks.capacity.estimate import che, erlang_c, estimate, waiting
from benchmarks.capacity.simulation import Simulation, follow_entries
from benchmarks.capacity.workload import Costs, Replica, Traffic

COSTS = Costs(
    model="made up",
    processor="none",
    predict_s=(0.008, 0.012, 0.016),
    load_s=0.03,
    build_s=0.5,
    session_bytes=1_000_000,
    onnx_bytes=700_000,
    entry_bytes=710_000,
    commands=3.0,
)
DAY = 86_400.0


@pytest.mark.parametrize(("servers", "load"), [(1, 0.3), (2, 1.7), (8, 5.0), (40, 38.5)])
def test_erlang_c_is_the_sum_of_the_states_in_which_all_are_busy(servers: int, load: float) -> None:
    states = [load**n / math.factorial(n) for n in range(servers)]
    all_busy = load**servers / math.factorial(servers) / (1 - load / servers)
    assert erlang_c(servers, load) == pytest.approx(all_busy / (sum(states) + all_busy))


def test_the_mean_wait_for_one_core_is_pollaczek_and_khinchine_s() -> None:
    rate, times = 30.0, np.array([0.01, 0.02, 0.05])
    mean, square = times.mean(), (times**2).mean()
    exact = rate * square / (2 * (1 - rate * mean))
    assert waiting(1, rate * mean, mean, square / mean**2 - 1)[0] == pytest.approx(exact)


def test_overload_waits_for_ever() -> None:
    assert waiting(2, 2.0, 0.01, 0.0) == (math.inf, math.inf)


def test_che_is_what_a_cache_does() -> None:
    share, places = Traffic(1.0, 60, 1.0).popularity(), 15
    rng = np.random.default_rng(0)
    cache: dict[int, None] = {}
    found, asked = np.zeros(60), np.zeros(60)
    for item in rng.choice(60, size=40_000, p=share).tolist():
        asked[item] += 1
        found[item] += item in cache
        cache.pop(item, None)
        cache[item] = None
        if len(cache) > places:
            del cache[next(iter(cache))]
    held = che(share, places)
    assert held.sum() == pytest.approx(places)
    np.testing.assert_allclose((found / asked)[:20], held[:20], atol=0.05)


def test_with_a_place_for_each_everything_is_held() -> None:
    assert che(np.full(5, 0.2), 5).tolist() == [1.0] * 5


def test_the_simulation_of_one_core_and_one_dial_is_m_d_1() -> None:
    costs = replace(COSTS, predict_s=(0.01,))
    replica = Replica(cores=1, session_bytes=10_000_000, ttl_s=1e9)
    seen = Simulation(Traffic(60.0, 1, 0.0), costs, replica, 1, np.random.default_rng(0))
    outcome = seen.run(60_000)
    assert outcome.session_hits == 1.0
    assert outcome.utilisation == pytest.approx(0.6, rel=0.03)
    # M/D/1: W = ρ S / (2 (1 - ρ)).
    assert outcome.wait_mean_s == pytest.approx(0.6 * 0.01 / (2 * 0.4), rel=0.08)


@pytest.mark.parametrize(
    ("traffic", "replica"),
    [
        (Traffic(100.0, 300, 0.9), Replica(2, 100_000_000, DAY)),
        (Traffic(200.0, 300, 0.6), Replica(4, 200_000_000, DAY)),
        (Traffic(100.0, 50, 1.2), Replica(1, 100_000_000, DAY)),
    ],
)
def test_estimate_and_simulation_agree(traffic: Traffic, replica: Replica) -> None:
    plan = estimate(traffic, COSTS, replica, wait_s=0.05)
    checks = compare(traffic, COSTS, replica, plan, requests=40_000, seed=0)
    assert [c for c in checks if not c.agrees] == []


def test_the_replicas_are_the_fewest_that_keep_the_wait() -> None:
    traffic, replica = Traffic(300.0, 500, 0.9), Replica(2, 100_000_000, DAY)
    plan = estimate(traffic, COSTS, replica, wait_s=0.03)
    fewer = estimate(traffic, COSTS, replica, wait_s=0.03, replicas=plan.replicas - 1)
    assert plan.wait_p99_s <= 0.03 < fewer.wait_p99_s


def test_entries_that_began_together_are_built_together_again() -> None:
    traffic, rng = Traffic(1000.0, 400, 0.5), np.random.default_rng(0)
    together = follow_entries(traffic, DAY, rng, at_once=True)
    spread = follow_entries(traffic, DAY, rng)
    assert together.busiest_minute == 400
    assert spread.busiest_minute < 20
    assert together.builds_per_s == pytest.approx(spread.builds_per_s, rel=0.1)


def test_rarely_asked_dials_are_in_redis_for_a_part_of_the_time() -> None:
    traffic, rng = Traffic(0.2, 2000, 0.0), np.random.default_rng(0)
    # Each is asked for every 10,000 s and lives for 5,000: T / (T + 1/λ) = 1/3.
    entries = follow_entries(traffic, 5_000.0, rng)
    assert entries.alive == pytest.approx(2000 / 3, rel=0.03)
    plan = estimate(traffic, COSTS, Replica(1, 10_000_000, 5_000.0), wait_s=1.0)
    assert plan.redis_entries == pytest.approx(2000 / 3)


def test_the_command_plans_with_measured_costs(tmp_path: Path) -> None:
    asked = ["plan", "--rate", "20", "--dials", "50", "--costs", "caltech100", "--requests", "5000"]
    done = CliRunner().invoke(app, [*asked, "--json", str(tmp_path / "plan.json")])
    assert "replicas" in done.stdout
    assert (tmp_path / "plan.json").exists()


def test_costs_that_are_not_there_are_named() -> None:
    done = CliRunner().invoke(app, ["plan", "--rate", "1", "--dials", "1", "--costs", "garden"])
    assert done.exit_code == 2
    assert "benchmarks.capacity measure" in done.stderr

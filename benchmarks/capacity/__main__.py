"""``python -m benchmarks.capacity measure MODEL`` and ``... plan --rate 2000 --dials 5000``."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.capacity.estimate import Estimate, estimate
from benchmarks.capacity.measure import measure as measured
from benchmarks.capacity.simulation import Simulation, follow_entries
from benchmarks.capacity.workload import Costs, Replica, Traffic
from benchmarks.output import show

COSTS = Path(__file__).parent / "costs"
GB = 1e9

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)

File = Annotated[Path | None, typer.Option("--json", help="Also write JSON here.")]


@dataclass(frozen=True)
class Need:
    """A line of the plan."""

    what: str
    value: float
    unit: str


@dataclass(frozen=True)
class Check:
    """A line of the comparison."""

    what: str
    estimated: float
    simulated: float
    difference: str
    allowed: str
    agrees: bool


def needs(plan: Estimate, at_once: int) -> list[Need]:
    """What the traffic needs, in lines."""
    return [
        Need("replicas", plan.replicas, ""),
        Need("busy share of their cores", 100 * plan.utilisation, "%"),
        Need("predictions that find their session", 100 * plan.session_hits, "%"),
        Need("wait for a core, mean", 1e3 * plan.wait_mean_s, "ms"),
        Need("wait for a core, 99 of 100", 1e3 * plan.wait_p99_s, "ms"),
        Need("sub-networks in Redis", plan.redis_entries, ""),
        Need("memory of Redis", plan.redis_bytes / GB, "GB"),
        Need("sent by Redis", plan.redis_bytes_per_s / GB, "GB/s"),
        Need("commands of Redis", plan.redis_commands_per_s, "/s"),
        Need("builds", 60 * plan.builds_per_s, "a minute"),
        Need("builds wanted in the worst minute after an empty Redis", at_once, ""),
        Need("to fill an empty Redis", plan.fill_s, "s"),
    ]


def check(what: str, estimated: float, simulated: float, share: float, at_least: float) -> Check:
    """Whether two numbers differ by no more than a share, or than a smallest amount."""
    difference = simulated - estimated
    agrees = abs(difference) <= max(share * abs(estimated), at_least)
    relative = f"{difference / estimated:+.1%}" if estimated else f"{difference:+.3g}"
    return Check(what, estimated, simulated, relative, f"{share:.0%} or {at_least:g}", agrees)


def compare(
    traffic: Traffic, costs: Costs, replica: Replica, plan: Estimate, requests: int, seed: int
) -> list[Check]:
    """The estimate against the simulation."""
    rng = np.random.default_rng(seed)
    entries = follow_entries(traffic, replica.ttl_s, rng)
    seen = Simulation(traffic, costs, replica, plan.replicas, rng).run(requests)
    waits = 1e3 * plan.wait_mean_s, 1e3 * plan.wait_p99_s
    return [
        check("busy share of the cores", plan.utilisation, seen.utilisation, 0.03, 0.005),
        check("sessions found", plan.session_hits, seen.session_hits, 0.03, 0.005),
        check("wait, mean, ms", waits[0], 1e3 * seen.wait_mean_s, 0.25, 2.0),
        check("wait, 99 of 100, ms", waits[1], 1e3 * seen.wait_p99_s, 0.25, 5.0),
        check("sub-networks in Redis", plan.redis_entries, entries.alive, 0.03, 1.0),
        check("builds a second", plan.builds_per_s, entries.builds_per_s, 0.1, 0.001),
    ]


@app.command()
def measure(
    model: Annotated[str, typer.Argument(help="A model that ships.")],
    dials: Annotated[int, typer.Option(min=2, help="Sub-networks.")] = 24,
    requests: Annotated[int, typer.Option(min=10, help="Predictions with each.")] = 50,
    file: File = None,
) -> None:
    """Measure the costs of a model on this machine."""
    costs = measured(model, dials, requests)
    show(f"costs of {model}", [costs_row(costs)], None)
    target = file or COSTS / f"{model}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(asdict(costs), indent=1) + "\n")
    typer.echo(f"written: {target}")


@dataclass(frozen=True)
class CostsRow:
    """Costs in units that can be read."""

    predict_ms_least: float
    predict_ms_mean: float
    predict_ms_most: float
    load_ms: float
    build_ms: float
    session_mb: float
    onnx_mb: float
    entry_mb: float
    commands: float


def costs_row(costs: Costs) -> CostsRow:
    """Costs as they are printed."""
    least, mean, most = (1e3 * f(costs.predict_s) for f in (np.min, np.mean, np.max))
    return CostsRow(
        float(least),
        float(mean),
        float(most),
        1e3 * costs.load_s,
        1e3 * costs.build_s,
        costs.session_bytes / 1e6,
        costs.onnx_bytes / 1e6,
        costs.entry_bytes / 1e6,
        costs.commands,
    )


@app.command()
def plan(
    rate: Annotated[float, typer.Option(help="Predictions a second, N.")],
    dials: Annotated[int, typer.Option(min=1, help="Distinct dial settings, M.")],
    costs: Annotated[str, typer.Option(help="A model measured, or a file of costs.")] = "rooms",
    zipf: Annotated[float, typer.Option(min=0, help="Exponent of the dials' popularity.")] = 0.9,
    cores: Annotated[int, typer.Option(min=1, help="Of a replica.")] = 2,
    session_gb: Annotated[float, typer.Option(help="Session pool of a replica, GiB.")] = 2.0,
    ttl_h: Annotated[float, typer.Option(help="Life of an entry, hours.")] = 24.0,
    wait_ms: Annotated[float, typer.Option(help="99 of 100 wait no longer.")] = 100.0,
    replicas: Annotated[int | None, typer.Option(min=1, help="Given, not sought.")] = None,
    requests: Annotated[int, typer.Option(min=0, help="To simulate; 0 for none.")] = 400_000,
    seed: Annotated[int, typer.Option(help="Of the simulation.")] = 0,
    file: File = None,
) -> None:
    """How many replicas and how much Redis, and whether a simulation agrees."""
    traffic, replica = (
        Traffic(rate, dials, zipf),
        Replica(cores, int(session_gb * 2**30), 3600 * ttl_h),
    )
    known = read_costs(costs)
    found = estimate(traffic, known, replica, wait_ms / 1e3, replicas)
    at_once = follow_entries(traffic, replica.ttl_s, np.random.default_rng(seed), at_once=True)
    show(
        f"{rate:g} a second over {dials} dials of {known.model}",
        needs(found, at_once.busiest_minute),
        None,
    )
    if requests == 0:
        return
    checks = compare(traffic, known, replica, found, requests, seed)
    show(f"{found.replicas} replicas, {requests} simulated requests", checks, file)
    raise typer.Exit(0 if all(c.agrees for c in checks) else 1)


def read_costs(name: str) -> Costs:
    """Costs by the name of a model, or from a file.

    Raises:
        typer.BadParameter: there are none, or the file is not one of ``measure``.
    """
    path = Path(name) if name.endswith(".json") else COSTS / f"{name}.json"
    try:
        content = json.loads(path.read_text())
        return Costs(**{**content, "predict_s": tuple(content["predict_s"])})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise typer.BadParameter(
            f"{path} holds no costs ({error}); `python -m benchmarks.capacity measure MODEL "
            "--json FILE` writes them"
        ) from None


if __name__ == "__main__":
    app()

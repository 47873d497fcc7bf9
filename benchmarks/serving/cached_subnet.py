"""Sub-networks that are there already: ``python -m benchmarks.serving.cached_subnet``.

The service and its embedded Valkey server have one core, the load generator another one.
"""

import json
import os
import statistics
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.output import show
from benchmarks.serving.load import Body, Load, offer
from benchmarks.serving.running import end_on_sigterm, free_port, post, running
from benchmarks.serving.servers import SLIMDIAL, Configuration, Place
from model_store.published import ModelStore, default_root

TARGET_PER_S = 1000.0
CLIENTS = 8


@dataclass(frozen=True)
class Row:
    """Requests of one model, the median over rounds."""

    model: str
    rounds: int
    over_target: float
    """Requests a second of one core, over 1000."""
    least: float
    most: float
    p99_ms: float
    failed: int
    reached: bool


def main(
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    seconds: Annotated[float, typer.Option(min=0.2, help="Of each round.")] = 2.0,
    file: Annotated[Path | None, typer.Option("--json", help="Also write JSON here.")] = None,
) -> None:
    """Measure cached ``POST /subnet`` on one core."""
    end_on_sigterm()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise typer.BadParameter("two cores are needed, one for the service and one for the load")
    server = replace(
        SLIMDIAL, command=lambda p: ["taskset", "-c", str(cores[0]), *SLIMDIAL.command(p)]
    )
    os.sched_setaffinity(0, cores[1:])
    models = ModelStore(default_root()).names()
    found: dict[str, list[Load]] = {model: [] for model in models}
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder) / "service", Path(folder), free_port(), default_root())
        with running(server, Configuration("one core", {}), place) as service:
            bodies = {}
            for model in models:
                wish = {"model": model, "budget": {"fraction": 0.7}}
                wish_file = Path(folder) / f"{model}.json"
                wish_file.write_text(json.dumps(wish))
                bodies[model] = Body(wish_file, "application/json")
                post(f"{service.url}/subnet", wish_file.read_bytes(), "application/json")
            for _ in range(rounds):
                for model, body in bodies.items():
                    found[model].append(offer(service.at("/subnet"), body, CLIENTS, seconds))
    rows = []
    for model, loads in found.items():
        over = sorted(load.per_s / TARGET_PER_S for load in loads)
        middle = statistics.median(over)
        p99_ms = statistics.median(load.p99_ms for load in loads)
        failed = sum(load.failed for load in loads)
        rows.append(
            Row(
                model, rounds, middle, over[0], over[-1], p99_ms, failed, middle >= 1 and not failed
            )
        )
    show("cached POST /subnet on one core", rows, file)


if __name__ == "__main__":
    typer.run(main)

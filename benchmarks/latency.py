"""Does a sub-network's real latency follow its GMACs? ``python -m benchmarks.latency``.

For six budgets, equal preferences: ONNX Runtime's time over that of the full network, beside the
same ratio of GMACs. One thread, one image; rounds are interleaved, so that drift hits all alike.
"""

import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.output import show
from model_store.published import ModelStore, PublishedModel, default_root
from model_store.request import SubnetRequest
from model_store.subnet.space import Architecture
from model_store.subnetwork import build, choose
from training.parity import choice_of, session_of

BUDGETS = (0.25, 0.4, 0.55, 0.7, 0.85, 1.0)


@dataclass(frozen=True)
class Row:
    """One sub-network against the full one."""

    model: str
    subnet: str
    gmacs_ratio: float
    latency_ratio: float
    latency_over_gmacs: float


def measure(model: PublishedModel, rounds: int) -> list[Row]:
    """Sub-networks at six budgets, and at as many uniform widths."""
    least = model.cost.of(model.space.smallest())
    most = model.cost.of(model.space.largest())
    named: dict[str, Architecture] = {"full": model.space.largest()}
    for share in BUDGETS:
        budget = max(share * most, least) / 1e9
        request = SubnetRequest.of(model, budget, dict.fromkeys(model.space.tasks, 1.0))
        named[f"budget {share:.0%}"] = choose(model, request).architecture
    h, w = model.manifest.input.height, model.manifest.input.width
    image = np.random.default_rng(0).random((1, 3, h, w), dtype=np.float32)
    sessions = {n: session_of(build(model, choice_of(model, a), 2), 1) for n, a in named.items()}
    times: dict[str, list[float]] = {name: [] for name in named}
    for _ in range(rounds):
        for name, session in sessions.items():
            start = time.perf_counter()
            session.run(None, {"image": image})
            times[name].append(time.perf_counter() - start)
    median = {name: statistics.median(found) for name, found in times.items()}
    rows = []
    for name, architecture in named.items():
        gmacs = model.cost.of(architecture) / most
        latency = median[name] / median["full"]
        rows.append(Row(model.manifest.name, name, gmacs, latency, latency / gmacs))
    return rows


def main(
    rounds: Annotated[int, typer.Option(min=3, help="Interleaved rounds.")] = 100,
    file: Annotated[Path | None, typer.Option("--json", help="Also write JSON here.")] = None,
) -> None:
    """Compare latency ratios with GMAC ratios on the shipped models."""
    store = ModelStore(default_root())
    rows = [row for name in store.names() for row in measure(store.open(name), rounds)]
    show("latency against GMACs", rows, file)


if __name__ == "__main__":
    typer.run(main)

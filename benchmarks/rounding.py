"""Which channel counts are fast here? ``python -m benchmarks.rounding [--json FILE]``.

Uniform sub-networks of the shipped models, with channel counts rounded to multiples of 1, 4, 8, 16
and 32: ONNX Runtime's time over that of the full network, divided by the same ratio of GMACs. At 1
latency follows the GMACs. One thread, one image; rounds are interleaved, so that drift hits all
alike. The answer differs by processor: its vectors are 8 floats wide with AVX2, 16 with AVX-512.
"""

import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]
import typer

from benchmarks.output import show
from model_store.calibration import calibrate
from model_store.published import ModelStore, PublishedModel, default_root
from model_store.subnet.extraction import cut
from model_store.subnet.space import Architecture, SearchSpace
from model_store.subnetwork import finish

DIVISORS = (1, 4, 8, 16, 32)
RATIOS = (0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True)
class Row:
    """The mean over the uniform sub-networks of one rounding."""

    model: str
    multiples_of: int
    gmacs_ratio: float
    latency_ratio: float
    latency_over_gmacs: float
    worst: float
    """The largest latency over GMACs of any of them."""


def uniform(space: SearchSpace, ratio: float, divisor: int) -> Architecture:
    """Every group at the multiple nearest to a ratio of its full width, and never above that."""
    channels: dict[str, int] = {}
    for group in space.groups:
        nearest = max(divisor * round(ratio * group.full / divisor), divisor)
        limit = channels[group.within] if group.within else group.full
        channels[group.name] = min(nearest, limit)
    return Architecture(space.names, tuple(channels.values()))


def session(model: PublishedModel, architecture: Architecture) -> ort.InferenceSession:
    """A sub-network ready to run, calibrated on few images, since only its speed counts."""
    space = model.space
    sliced = cut(model.graph, space, model.manifest.slices, architecture, space.tasks)
    _, content = finish(sliced, calibrate(sliced, model.calibration_NHWC[:8], 2), {})
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def measure(model: PublishedModel, rounds: int) -> list[Row]:
    """One row for each rounding."""
    space, full = model.space, model.space.largest()
    found = {(d, r): uniform(space, r, d) for d in DIVISORS for r in RATIOS}
    found[0, 1.0] = full
    sessions = {key: session(model, a) for key, a in found.items()}
    h, w = model.manifest.input.height, model.manifest.input.width
    image = np.random.default_rng(0).random((1, 3, h, w), dtype=np.float32)
    times: dict[tuple[int, float], list[float]] = {key: [] for key in sessions}
    for _ in range(rounds):
        for key, each in sessions.items():
            start = time.perf_counter()
            each.run(None, {"image": image})
            times[key].append(time.perf_counter() - start)
    median = {key: statistics.median(each) for key, each in times.items()}
    rows = []
    for divisor in DIVISORS:
        gmacs = [model.cost.of(found[divisor, r]) / model.cost.of(full) for r in RATIOS]
        latency = [median[divisor, r] / median[0, 1.0] for r in RATIOS]
        ratios = [t / g for t, g in zip(latency, gmacs, strict=True)]
        gmacs_ratio, latency_ratio, both = np.mean([gmacs, latency, ratios], axis=1).tolist()
        name = model.manifest.name
        rows.append(Row(name, divisor, gmacs_ratio, latency_ratio, both, max(ratios)))
    return rows


def main(
    rounds: Annotated[int, typer.Option(min=3, help="Interleaved rounds.")] = 30,
    file: Annotated[Path | None, typer.Option("--json", help="Also write JSON here.")] = None,
) -> None:
    """Compare roundings of the shipped models' channel counts."""
    store = ModelStore(default_root())
    rows = [row for name in store.names() for row in measure(store.open(name), rounds)]
    show("latency over GMACs by rounding", rows, file)


if __name__ == "__main__":
    typer.run(main)

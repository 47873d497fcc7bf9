"""The service over HTTP: ``python -m benchmarks.service [--json FILE]``.

Starts ``slimdial serve`` as a user does and measures start-up, ``POST /subnet`` cold and cached,
and what ``POST /predict`` adds to the bare ONNX Runtime call on the same sub-network.
"""

import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any

import httpx
import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]
import typer
from PIL import Image

from benchmarks.output import show


@dataclass(frozen=True)
class Row:
    """One measurement, in milliseconds."""

    what: str
    model: str
    requests: int
    p50_ms: float
    p99_ms: float
    detail: str = ""


@contextmanager
def serving() -> Iterator[tuple[httpx.Client, float]]:
    """A fresh service on a free port with an empty cache, and its seconds until ready."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        options = ("--port", "0", "--log-level", "warning", "--data-dir")
        process = subprocess.Popen(
            [str(Path(sys.executable).parent / "slimdial"), "serve", *options, folder],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            url = next(
                found[1]
                for line in process.stdout
                if (found := re.search(r"serves .* on (http://\S+)", line))
            )
            with httpx.Client(base_url=url, timeout=60) as client:
                while client.get("/readyz").status_code != 200:
                    pass
                yield client, time.perf_counter() - start
        finally:
            process.terminate()
            process.wait()


def row(what: str, model: str, times: list[float], detail: str = "") -> Row:
    """Median and 99th percentile of some times in milliseconds."""
    p50, p99 = np.percentile(times, [50, 99])
    return Row(what, model, len(times), float(p50), float(p99), detail)


def timed(client: httpx.Client, path: str, **request: Any) -> tuple[float, httpx.Response]:  # noqa: ANN401
    """Milliseconds of one request, and its answer."""
    start = time.perf_counter()
    response = client.post(path, **request)
    elapsed = 1e3 * (time.perf_counter() - start)
    response.raise_for_status()
    return elapsed, response


def subnets(client: httpx.Client, model: str, cold: int, cached: int) -> Iterator[Row]:
    """``POST /subnet``, new and repeated."""
    about = client.get(f"/models/{model}").json()
    tasks = [t["name"] for t in about["tasks"]]
    low, high = (about["budget"][k] for k in ("min_gmacs", "max_gmacs"))
    rng, times, stages, body = np.random.default_rng(0), [], [], {}
    for _ in range(cold):
        body = {
            "model": model,
            "budget": {"gmacs": float(rng.uniform(low, high))},
            "preference": {t: float(rng.random()) for t in tasks},
        }
        elapsed, response = timed(client, "/subnet", json=body)
        times.append(elapsed)
        stages.append(response.json()["timings_ms"])
    split = ", ".join(
        f"{stage} {statistics.median(s[stage] for s in stages):.0f}" for stage in stages[0]
    )
    yield row("POST /subnet cold", model, times, split)
    hits = [timed(client, "/subnet", json=body) for _ in range(cached)]
    assert all(response.json()["cache"] == "hit" for _, response in hits)
    yield row("POST /subnet cached", model, [elapsed for elapsed, _ in hits])


def predictions(client: httpx.Client, model: str, requests: int) -> Iterator[Row]:
    """``POST /predict`` against the bare call, in turn, so that drift hits both."""
    about = client.get(f"/models/{model}").json()
    body = {"model": model, "budget": {"gmacs": about["budget"]["max_gmacs"]}}
    made = timed(client, "/subnet", json=body)[1].json()
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    content = client.get(made["links"]["onnx"]).content
    session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    h, w = (about["input"][k] for k in ("height", "width"))
    pixels = np.random.default_rng(0).integers(0, 256, (h, w, 3), dtype=np.uint8)
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
    image = (pixels.transpose(2, 0, 1)[None] / 255).astype(np.float32)
    served, bare = [], []
    for _ in range(requests):
        elapsed, _ = timed(
            client,
            "/predict",
            params={"subnet_id": made["subnet_id"]},
            content=buffer.getvalue(),
            headers={"Content-Type": "image/jpeg"},
        )
        served.append(elapsed)
        start = time.perf_counter()
        session.run(None, {"image": image})
        bare.append(1e3 * (time.perf_counter() - start))
    yield row("POST /predict", model, served)
    yield row("bare ONNX Runtime call", model, bare)
    added = statistics.median(served) - statistics.median(bare)
    yield Row("overhead of the service", model, requests, added, float("nan"), "difference of p50")


def main(
    cold: Annotated[int, typer.Option(min=3)] = 10,
    cached: Annotated[int, typer.Option(min=10)] = 500,
    requests: Annotated[int, typer.Option(min=10)] = 300,
    starts: Annotated[int, typer.Option(min=1)] = 3,
    file: Annotated[Path | None, typer.Option("--json", help="Also write JSON here.")] = None,
) -> None:
    """Measure the service on the shipped models."""
    started = []
    for _ in range(starts):
        with serving() as (_, seconds):
            started.append(1e3 * seconds)
    rows = [row("slimdial serve to ready", "all", started)]
    with serving() as (client, _):
        for model in (m["name"] for m in client.get("/models").json()["models"]):
            rows += subnets(client, model, cold, cached)
            rows += predictions(client, model, requests)
    show("the service over HTTP", rows, file)


if __name__ == "__main__":
    typer.run(main)

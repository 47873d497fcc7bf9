"""The service over HTTP: ``python -m benchmarks.service [--json FILE]``.

Starts ``slimdial serve`` as a user does and measures start-up, ``POST /subnet`` cold and cached,
and what ``POST /predict`` adds to the bare ONNX Runtime call on the same sub-network. The client is
the standard library's, the lightest there is, since its time counts as the service's.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any

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
    max_ms: float
    detail: str = ""


class Client:
    """One kept-alive connection."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._connection = HTTPConnection(address, timeout=60)

    def send(
        self, method: str, path: str, body: bytes = b"", kind: str = "application/json"
    ) -> tuple[int, bytes]:
        """Status and body of the answer."""
        self._connection.request(method, path, body, {"Content-Type": kind} if body else {})
        response = self._connection.getresponse()
        return response.status, response.read()

    def get(self, path: str) -> Any:  # noqa: ANN401
        """The JSON of a successful GET."""
        return json.loads(self.ok(*self.send("GET", path)))

    def post(
        self, path: str, body: bytes | Mapping[str, Any], kind: str = "application/json"
    ) -> tuple[float, Any]:
        """Milliseconds of a successful POST, and its JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        start = time.perf_counter()
        answer = self.send("POST", path, content, kind)
        elapsed = 1e3 * (time.perf_counter() - start)
        return elapsed, json.loads(self.ok(*answer))

    @staticmethod
    def ok(status: int, content: bytes) -> bytes:
        """The content of an answer without error."""
        if status >= 300:
            raise RuntimeError(f"the service answered {status}: {content.decode()}")
        return content


@contextmanager
def serving(environ: Mapping[str, str] = os.environ) -> Iterator[tuple[Client, float]]:
    """A fresh service on a free port with an empty cache, and its seconds until ready."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        options = ("--port", "0", "--log-level", "warning", "--data-dir")
        process = subprocess.Popen(
            [str(Path(sys.executable).parent / "slimdial"), "serve", *options, folder],
            env=dict(environ),
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            address = next(
                found[1]
                for line in process.stdout
                if (found := re.search(r"serves .* on http://(\S+)", line))
            )
            client = Client(address)
            while client.send("GET", "/readyz")[0] != 200:
                pass
            yield client, time.perf_counter() - start
        finally:
            process.terminate()
            process.wait()


def row(what: str, model: str, times: list[float], detail: str = "") -> Row:
    """Median, 99th percentile and largest of some times in milliseconds."""
    p50, p99, most = np.percentile(times, [50, 99, 100]).tolist()
    return Row(what, model, len(times), p50, p99, most, detail)


def subnets(client: Client, model: str, cold: int, cached: int) -> Iterator[Row]:
    """``POST /subnet``, new and repeated, and ``GET /livez`` while new ones are built."""
    about = client.get(f"/models/{model}")
    tasks = [t["name"] for t in about["tasks"]]
    low, high = (about["budget"][k] for k in ("min_gmacs", "max_gmacs"))
    rng = np.random.default_rng(0)

    def dials() -> dict[str, Any]:
        return {
            "model": model,
            "budget": {"gmacs": float(rng.uniform(low, high))},
            "preference": {t: float(rng.random()) for t in tasks},
        }

    bodies = [dials() for _ in range(cold)]
    answers = [client.post("/subnet", body) for body in bodies]
    times, stages = [elapsed for elapsed, _ in answers], [a["timings_ms"] for _, a in answers]
    split = ", ".join(
        f"{stage} {statistics.median(s[stage] for s in stages):.0f}" for stage in stages[0]
    )
    yield row("POST /subnet cold", model, times, split)
    hits = [client.post("/subnet", bodies[-1]) for _ in range(cached)]
    assert all(answer["cache"] == "hit" for _, answer in hits)
    yield row("POST /subnet cached", model, [elapsed for elapsed, _ in hits])
    yield row("GET /livez meanwhile", model, alive(client, [dials() for _ in range(cold)]))


def alive(client: Client, bodies: list[dict[str, Any]]) -> list[float]:
    """Milliseconds of every ``GET /livez`` while these sub-networks are built, one by one."""
    times = []
    with ThreadPoolExecutor(1) as other:
        builder = Client(client.address)
        building = other.submit(lambda: [builder.post("/subnet", body) for body in bodies])
        while not building.done():
            start = time.perf_counter()
            client.get("/livez")
            times.append(1e3 * (time.perf_counter() - start))
        building.result()
    return times


def predictions(client: Client, model: str, requests: int) -> Iterator[Row]:
    """``POST /predict`` against the bare call, in turn, so that drift hits both."""
    about = client.get(f"/models/{model}")
    body = {"model": model, "budget": {"gmacs": about["budget"]["max_gmacs"]}}
    _, made = client.post("/subnet", body)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    content = client.ok(*client.send("GET", made["links"]["onnx"]))
    session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    h, w = (about["input"][k] for k in ("height", "width"))
    pixels = np.random.default_rng(0).integers(0, 256, (h, w, 3), dtype=np.uint8)
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
    image = (pixels.transpose(2, 0, 1)[None] / 255).astype(np.float32)
    path, served, bare = f"/predict?subnet_id={made['subnet_id']}", [], []
    for _ in range(requests):
        elapsed, _ = client.post(path, buffer.getvalue(), "image/jpeg")
        served.append(elapsed)
        start = time.perf_counter()
        session.run(None, {"image": image})
        bare.append(1e3 * (time.perf_counter() - start))
    yield row("POST /predict", model, served)
    yield row("bare ONNX Runtime call", model, bare)
    added = statistics.median(served) - statistics.median(bare)
    nan = float("nan")
    yield Row("overhead of the service", model, requests, added, nan, nan, "difference of p50")


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
        for model in (m["name"] for m in client.get("/models")["models"]):
            rows += subnets(client, model, cold, cached)
            rows += predictions(client, model, requests)
    show("the service over HTTP", rows, file)


if __name__ == "__main__":
    typer.run(main)

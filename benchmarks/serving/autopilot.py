"""What the autopilot is worth under overload: ``python -m benchmarks.serving.autopilot``.

The capacity of the plain service is measured first, with clients that wait for their answers. Then
requests arrive at a multiple of it, evenly, whatever comes of them. Goodput counts the answers that
are there within the objective, from the moment that the request was due. Services with and without
autopilot take turns, round by round, with the same settings otherwise; once with clients that wait,
and once with clients that send the objective as their deadline.
"""

import io
import itertools
import math
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode

import numpy as np
import typer
from PIL import Image

from benchmarks.output import show
from benchmarks.serving.heavy_model import SIZE, publish

CONNECTIONS = 4
"""Times as many as are used when all answers take as long as the objective: what is due is sent."""


@dataclass(frozen=True)
class Row:
    """A service under load, the median over rounds."""

    service: str
    client: str
    offered_per_s: float
    answered_per_s: float
    goodput_per_s: float
    goodput_share: float
    """Of what was offered."""
    p50_ms: float
    p99_ms: float
    """Of the answers."""
    refused_share: float
    gmacs: float
    """Mean of the sub-networks that were served."""


@dataclass(frozen=True)
class Answer:
    """One request."""

    ok: bool
    milliseconds: float
    gmacs: float


@dataclass(frozen=True)
class Load:
    """What is sent, where."""

    address: str
    path: str
    image: bytes
    deadline_ms: int | None
    objective_ms: float

    def send(self, connection: HTTPConnection, due: float) -> Answer:
        """One prediction; its time counts from when it was due."""
        headers = {"Content-Type": "image/png", "Accept": "application/json"}
        if self.deadline_ms is not None:
            headers["X-Request-Timeout-Ms"] = str(self.deadline_ms)
        connection.request("POST", self.path, self.image, headers)
        response = connection.getresponse()
        response.read()
        gmacs = float(response.headers.get("x-gmacs", "nan"))
        return Answer(response.status == 200, 1e3 * (time.perf_counter() - due), gmacs)

    def offer(self, per_s: float, seconds: float) -> list[Answer]:
        """Requests at an even rate, however long the answers take."""
        connections = math.ceil(CONNECTIONS * per_s * self.objective_ms / 1e3)
        return self._run(lambda i: i / per_s, seconds, connections)

    def closed(self, seconds: float, clients: int) -> float:
        """Answers a second to clients that each wait for theirs."""
        answers = self._run(lambda _: 0.0, seconds, clients)
        return sum(a.ok for a in answers) / seconds

    def _run(self, due_s: Callable[[int], float], seconds: float, connections: int) -> list[Answer]:
        numbers, lock = itertools.count(), threading.Lock()
        start = time.perf_counter() + 0.05
        found: list[Answer] = []

        def client() -> None:
            connection = HTTPConnection(self.address, timeout=60)
            while True:
                with lock:
                    due = start + due_s(next(numbers))
                now = time.perf_counter()
                if max(due, now) >= start + seconds:
                    return
                time.sleep(max(0.0, due - now))
                found.append(self.send(connection, max(due, start)))

        threads = [threading.Thread(target=client) for _ in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found


@contextmanager
def serving(root: Path, autopilot_ms: float | None, core: int | None) -> Iterator[str]:
    """A fresh service with one prediction at a time; yields its address."""
    pinned = [] if core is None else ["taskset", "-c", str(core)]
    environ = {**os.environ, "SLIMDIAL_THREADS": "1", "SLIMDIAL_MODELS_ROOT": str(root)}
    if autopilot_ms is not None:
        environ["SLIMDIAL_AUTOPILOT_MS"] = str(autopilot_ms)
    with tempfile.TemporaryDirectory() as folder:
        options = ["--port", "0", "--log-level", "warning", "--data-dir", folder]
        process = subprocess.Popen(
            [*pinned, sys.executable, "-m", "service.cli", "serve", *options],
            stdout=subprocess.PIPE,
            text=True,
            env=environ,
        )
        try:
            assert process.stdout is not None
            yield next(
                found[1]
                for line in process.stdout
                if (found := re.search(r"serves .* on http://(\S+)", line))
            )
        finally:
            process.terminate()
            process.wait()


def ready(load: Load) -> None:
    """Sends a request and waits until nothing is built or loaded any more."""
    connection = HTTPConnection(load.address, timeout=120)
    load.send(connection, time.perf_counter())
    seen, still = -1.0, 0
    while still < 6:
        time.sleep(0.5)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        samples = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[:1] != "#")
        now = float(samples["slimdial_sessions"])
        still = still + 1 if now == seen else 0
        seen = now


def summed_up(
    service: str,
    client: str,
    offered: float,
    seconds: float,
    objective_ms: float,
    rounds: list[list[Answer]],
) -> Row:
    """The median round. What was due and could not even be sent counts as refused."""
    due = offered * seconds

    def median(of: Callable[[list[Answer]], float]) -> float:
        return statistics.median(of(answers) for answers in rounds)

    def quantile(answers: list[Answer], q: float) -> float:
        times = [a.milliseconds for a in answers if a.ok]
        return float(np.quantile(times, q)) if times else float("nan")

    good = median(lambda r: sum(a.ok and a.milliseconds <= objective_ms for a in r) / due)
    answered = median(lambda r: sum(a.ok for a in r) / due)
    return Row(
        service=service,
        client=client,
        offered_per_s=offered,
        answered_per_s=offered * answered,
        goodput_per_s=offered * good,
        goodput_share=good,
        p50_ms=median(lambda r: quantile(r, 0.5)),
        p99_ms=median(lambda r: quantile(r, 0.99)),
        refused_share=1.0 - answered,
        gmacs=median(lambda r: float(np.nanmean([a.gmacs for a in r]))),
    )


def published(root: Path) -> Path:
    """A folder with the model that is asked."""
    publish(root)
    return root


def main(
    fraction: Annotated[float, typer.Option(help="Budget of the requests.")] = 1.0,
    times: Annotated[float, typer.Option(help="Offered load over the capacity.")] = 2.0,
    objective_ms: Annotated[float, typer.Option(help="Latency objective.")] = 250.0,
    seconds: Annotated[float, typer.Option(min=2, help="Of a round.")] = 15.0,
    settle: Annotated[float, typer.Option(help="Seconds of load before each round.")] = 8.0,
    rounds: Annotated[int, typer.Option(min=1)] = 2,
    core: Annotated[int | None, typer.Option(help="Pin the services to this core.")] = None,
    file: Annotated[Path | None, typer.Option("--json", help="Also write JSON here.")] = None,
) -> None:
    """Compare goodput under overload with and without the autopilot."""
    query = urlencode({"budget.fraction": fraction, "adaptive": "true"})
    pixels = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    image = buffer.getvalue()
    found: dict[tuple[str, str], list[list[Answer]]] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(published(Path(folder)), None, core) as plain,
        serving(Path(folder), objective_ms, core) as piloted,
    ):
        loads = {
            (service, client): Load(address, f"/predict?{query}", image, deadline, objective_ms)
            for client, deadline in (("waits", None), ("has a deadline", int(objective_ms)))
            for service, address in (("plain", plain), ("autopilot", piloted))
        }
        for key in (("plain", "waits"), ("autopilot", "waits")):
            ready(loads[key])
        capacity = loads["plain", "waits"].closed(seconds / 2, 4)
        offered = times * capacity
        print(f"capacity {capacity:.1f}/s, offered {offered:.1f}/s", file=sys.stderr)
        for _ in range(rounds):
            for key, load in loads.items():
                load.offer(offered, settle)
                found.setdefault(key, []).append(load.offer(offered, seconds))
                time.sleep(1.0)
    rows = [
        summed_up(service, client, offered, seconds, objective_ms, answers)
        for (service, client), answers in found.items()
    ]
    title = f"{times:g} times the capacity of {capacity:.1f}/s, within {objective_ms:g} ms"
    show(title, rows, file)


if __name__ == "__main__":
    typer.run(main)

"""Load on an HTTP server, by ``h2load`` (Debian: ``nghttp2-client``): C, and one thread suffices.

It writes a line for every request, so percentiles are exact and every status is counted.
"""

import os
import re
import resource
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.serving.process_tree import ProcessTree


@dataclass(frozen=True)
class Body:
    """What is sent."""

    file: Path
    media_type: str


@dataclass(frozen=True)
class Target:
    """Where it is sent."""

    url: str
    tree: ProcessTree
    """Of the server."""


@dataclass(frozen=True)
class Load:
    """What came of it."""

    per_s: float
    """Successful answers a second."""
    p50_ms: float
    p99_ms: float
    failed: int
    """Answers with a status of an error, and requests without an answer."""
    client_share: float
    """Processor time of the load generator over that of the generator and the server."""
    server_ms: float
    """Processor time of the server for each answer."""


def offer(
    target: Target, body: Body | None, clients: int, seconds: float, per_s: float | None = None
) -> Load:
    """Sends requests over kept-alive HTTP/1.1 connections, one at a time on each.

    Args:
        target: the server.
        body: of POST requests; None for GET.
        clients: connections.
        seconds: how long, after a tenth of it to warm up.
        per_s: requests a second in all, evenly; without it each connection sends the next request
            as soon as it has the answer to the last one.

    Raises:
        RuntimeError: not a single answer came.
    """
    warm_up = max(0.2, seconds / 10)
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        command = ["h2load", "--h1", "-t", "1", "-c", str(clients), "-D", _ms(seconds)]
        command += ["--warm-up-time", _ms(warm_up), f"--log-file={log}"]
        if body is not None:
            command += ["-d", str(body.file), "-H", f"content-type: {body.media_type}"]
        if per_s is not None:
            command += ["--rps", f"{per_s / clients:.3f}"]
        server_s, client_s = target.tree.cpu_s(), _children_s()
        done = subprocess.run([*command, target.url], check=True, capture_output=True, text=True)
        server_s, client_s = target.tree.cpu_s() - server_s, _children_s() - client_s
        lines = np.loadtxt(log, dtype=np.int64, ndmin=2)
    if not lines.size:
        raise RuntimeError(f"no answer from {target.url}: {done.stdout}")
    status, milliseconds = lines[:, 1], lines[:, 2] / 1e3
    good = (status >= 200) & (status < 300)
    answered = int(good.sum())
    p50, p99 = np.percentile(milliseconds[good], [50, 99]) if answered else (np.nan, np.nan)
    return Load(
        per_s=answered / seconds,
        p50_ms=float(p50),
        p99_ms=float(p99),
        failed=_failed(done.stdout),
        client_share=client_s / max(client_s + server_s, 1e-9),
        # The processor time is that of the warm-up, too.
        server_ms=1e3 * server_s / max(answered, 1) * seconds / (seconds + warm_up),
    )


def _failed(report: str) -> int:
    # Not from the log: a request that is under way when the warm-up ends stands there without a
    # status, though it is answered.
    counts = {what: int(n) for n, what in re.findall(r"(\d+) (failed|timeout|4xx|5xx)", report)}
    return counts["failed"] + counts["timeout"] + counts["4xx"] + counts["5xx"]


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.0f}ms"


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def cores() -> int:
    """Those that this process, and all that it starts, may use."""
    return len(os.sched_getaffinity(0))

"""Errors in a restart under load: ``python -m benchmarks.serving.rolling_restart``.

Clients send predictions over connections that they keep, one after another, and never try again:
whatever is no 200 is an error. Meanwhile every process that serves is replaced in turn: by SIGTERM
two replicas behind HAProxy (Debian's package ``haproxy``), which asks ``/readyz``; by SIGHUP two
workers of one port. The last row is a control: replicas that are killed must show.
"""

import io
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from PIL import Image

from benchmarks.output import show

PATH = "/predict?model=caltech100&budget.fraction=0.5"

_PROXY = """
defaults
  mode http
  timeout connect 5s
  timeout check 5s
  timeout client 60s
  timeout server 60s
frontend all
  bind 127.0.0.1:{port}
  default_backend replicas
backend replicas
  balance roundrobin
  option redispatch
  option httpchk GET /readyz
  default-server check inter 200ms fall 1 rise 1
"""


@dataclass(frozen=True)
class Row:
    """One way to restart, under load throughout."""

    setup: str
    restarts: int
    """Of single processes."""
    requests: int
    errors: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    seconds: float
    kinds: str
    """Errors by what they were."""


@dataclass
class Load:
    """Clients that each wait for their answer."""

    address: str
    image: bytes
    times_ms: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    _stop: threading.Event = field(default_factory=threading.Event)

    def _client(self) -> None:
        connection = HTTPConnection(self.address, timeout=60)
        while not self._stop.is_set():
            start = time.perf_counter()
            try:
                connection.request("POST", PATH, self.image, {"Content-Type": "image/png"})
                response = connection.getresponse()
                response.read()
            except (OSError, HTTPException) as error:
                self.errors[type(error).__name__] += 1
                connection.close()
                continue
            self.times_ms.append(1e3 * (time.perf_counter() - start))
            if response.status != 200:
                self.errors[str(response.status)] += 1
        connection.close()

    @contextmanager
    def running(self, clients: int) -> Iterator[None]:
        """Load while the block lasts."""
        threads = [threading.Thread(target=self._client) for _ in range(clients)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()


@dataclass
class Service:
    """``slimdial serve`` on a port that it keeps over restarts."""

    folder: Path
    options: tuple[str, ...] = ()
    port: int = 0
    process: "subprocess.Popen[str] | None" = None

    def start(self) -> None:
        """Returns once it answers."""
        arguments = ("--port", str(self.port), "--data-dir", str(self.folder), *self.options)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "service.cli", "serve", "--log-level", "error", *arguments],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := re.search(r"serves .* on http://[^ ]*:(\d+)", line):
                self.port = int(found[1])
                return
        raise RuntimeError("the service did not start")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Returns once it is gone."""
        assert self.process is not None
        self.process.send_signal(how)
        self.process.wait()

    def workers(self) -> set[int]:
        """The processes that serve, where there are several."""
        assert self.process is not None
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return {
            int(c) for c in children if b"spawn_main" in Path(f"/proc/{c}/cmdline").read_bytes()
        }


def restarted(services: list[Service], how: signal.Signals, settle_s: float) -> int:
    """Replaces each in turn; returns how many."""
    for service in services:
        service.stop(how)
        time.sleep(settle_s)
        service.start()
        time.sleep(settle_s)
    return len(services)


def replaced(service: Service) -> int:
    """Has all workers replaced; returns how many."""
    assert service.process is not None
    before = service.workers()
    service.process.send_signal(signal.SIGHUP)
    while service.workers() & before:
        time.sleep(0.1)
    return len(before)


def measured(
    setup: str, address: str, clients: int, rounds: int, settle_s: float, once: Callable[[], int]
) -> Row:
    """Restarts so many times under load."""
    load = Load(address, picture())
    start = time.perf_counter()
    with load.running(clients):
        while len(load.times_ms) < 10 * clients:  # the first ones wait for a build
            time.sleep(0.1)
        restarts = sum(once() for _ in range(rounds))
        time.sleep(settle_s)
    p50, p99, most = np.percentile(load.times_ms, [50, 99, 100]).tolist()
    return Row(
        setup=setup,
        restarts=restarts,
        requests=len(load.times_ms) + sum(n for k, n in load.errors.items() if not k.isdigit()),
        errors=load.errors.total(),
        p50_ms=p50,
        p99_ms=p99,
        max_ms=most,
        seconds=time.perf_counter() - start,
        kinds=", ".join(f"{n} {kind}" for kind, n in load.errors.items()),
    )


@contextmanager
def proxy(services: list[Service], folder: Path) -> Iterator[str]:
    """HAProxy in front of replicas; yields its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = folder / "haproxy.cfg"
    servers = [f"  server replica{i} 127.0.0.1:{s.port}\n" for i, s in enumerate(services)]
    config.write_text(_PROXY.format(port=port) + "".join(servers))
    process = subprocess.Popen(["haproxy", "-db", "-q", "-f", config], stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            try:
                connection = HTTPConnection("127.0.0.1", port)
                connection.request("GET", "/readyz")
                if connection.getresponse().status == 200:
                    break
            except OSError:
                pass
            time.sleep(0.1)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def picture() -> bytes:
    """A PNG file."""
    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def main(
    clients: Annotated[int, typer.Option(min=1)] = 8,
    rounds: Annotated[int, typer.Option(min=1, help="How often each process is replaced.")] = 2,
    settle: Annotated[float, typer.Option(help="Seconds of load between the steps.")] = 1.0,
    file: Annotated[Path | None, typer.Option("--json", help="Also write JSON here.")] = None,
) -> None:
    """Count errors while replicas, and workers, are restarted under load."""
    if shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin") is None:
        raise typer.BadParameter("haproxy is needed: apt-get install haproxy")
    os.environ["PATH"] += ":/usr/sbin"
    rows = []
    with ExitStack() as at_end:
        folder = Path(at_end.enter_context(tempfile.TemporaryDirectory()))
        replicas = [Service(folder / "data"), Service(folder / "data")]
        for service in replicas:
            service.start()
            at_end.callback(service.stop)
        with proxy(replicas, folder) as address:
            for name, how in (
                ("two replicas behind HAProxy, SIGTERM", signal.SIGTERM),
                ("control: the same, SIGKILL", signal.SIGKILL),
            ):
                once = partial(restarted, replicas, how, settle)
                rows.append(measured(name, address, clients, rounds, settle, once))
        workers = Service(folder / "other", ("--workers", "2"))
        workers.start()
        at_end.callback(workers.stop)
        address = f"127.0.0.1:{workers.port}"
        name, once = "two workers of one port, SIGHUP", partial(replaced, workers)
        rows.insert(1, measured(name, address, clients, rounds, settle, once))
    show("Errors in a rolling restart under load (target 0)", rows, file)
    raise typer.Exit(any(row.errors for row in rows[:2]))


if __name__ == "__main__":
    typer.run(main)

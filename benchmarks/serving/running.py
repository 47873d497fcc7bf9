"""Servers in processes of their own: started, asked until they answer, ended."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.serving.load import Body, Target
from benchmarks.serving.process_tree import ProcessTree
from benchmarks.serving.servers import Configuration, Place, Server, environ_of

_START_S = 90.0
_STOP_S = 10.0


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    server: Server
    configuration: Configuration
    url: str
    tree: ProcessTree

    def at(self, path: str) -> Target:
        """One of its routes."""
        return Target(self.url + path, self.tree)


@contextlib.contextmanager
def running(server: Server, configuration: Configuration, place: Place) -> Iterator[Running]:
    """Starts a server, waits until it says that it is alive, and ends it with all its processes.

    Raises:
        RuntimeError: it ended, or did not answer in time; its log says why.
    """
    place.folder.mkdir(parents=True, exist_ok=True)
    log = place.folder / "log"
    with log.open("w") as out:
        process = subprocess.Popen(
            server.command(place),
            cwd=place.folder,
            env=environ_of(server, configuration, place),
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    tree = ProcessTree(process.pid, place.folder / "valkey.pid")
    url = f"http://127.0.0.1:{place.port}"
    try:
        deadline = time.monotonic() + _START_S
        while not answers(url + server.noop):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{server.name} does not answer: {log.read_text()[-2000:]}")
            time.sleep(0.1)
        yield Running(server, configuration, url, tree)
    finally:
        tree.go_on()
        everyone = tree.pids()
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_S)
        for pid in everyone:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()


def end_on_sigterm() -> None:
    """SIGTERM ends this process as Ctrl-C does: servers that are held are not left behind."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def free_port() -> int:
    """A port that nobody listens on; so are, most likely, the two after it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def answers(url: str) -> bool:
    """Whether a GET succeeds."""
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
        return True
    return False


def post(url: str, content: bytes, media_type: str) -> bytes:
    """The answer to a POST."""
    request = urllib.request.Request(url, content, {"Content-Type": media_type})
    with urllib.request.urlopen(request, timeout=60) as response:
        found: bytes = response.read()
    return found


def ready(url: str, body: Body) -> dict[str, Any]:
    """The first prediction; servers that are alive may not have loaded their network yet."""
    deadline = time.monotonic() + _START_S
    while True:
        try:
            found: dict[str, Any] = json.loads(post(url, body.file.read_bytes(), body.media_type))
            return found
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)

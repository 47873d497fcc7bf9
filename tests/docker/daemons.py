"""Servers for tests: started, waited for, and ended."""

import contextlib
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind((host, 0))
        port: int = listener.getsockname()[1]
        return port


def until(condition: Callable[[], bool], what: str) -> None:
    """Waits for a condition, and fails rather than hangs."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def answers(url: str) -> bool:
    """Whether a GET succeeds."""
    try:
        return httpx.get(url).is_success
    except httpx.TransportError:
        return False


@contextlib.contextmanager
def daemon(
    command: Sequence[str | Path], ready: Callable[[], bool], folder: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a server; what it prints goes to a file in the folder, and into a failure."""
    log = folder / f"{Path(command[0]).name}.log"
    with log.open("wb") as output:
        popen = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
    try:
        until(lambda: popen.poll() is not None or ready(), f"{command[0]} does not answer")
        assert popen.poll() is None, log.read_text()
        yield popen
    finally:
        popen.terminate()
        popen.wait(60)


def make_secrets(folder: Path) -> Path:
    """A folder of secrets, made as an operator makes them."""
    made = folder / "secrets"
    subprocess.run(["sh", DOCKER / "make-secrets.sh", made], check=True)
    return made


def files_in(folder: Path) -> set[str]:
    """Their names, without those in folders of it."""
    return {path.name for path in folder.iterdir() if path.is_file()}

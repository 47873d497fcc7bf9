"""``slimdial serve`` in a process of its own, as a user runs it."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

MODULE = (sys.executable, "-m", "service.cli")
ROOT = Path(__file__).parents[2]


@dataclass
class Process:
    """The running command, and what it has printed so far."""

    popen: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    url: str = ""

    @property
    def text(self) -> str:
        """Everything printed, both streams."""
        return "".join(self.lines)


@contextlib.contextmanager
def serving(
    arguments: Sequence[str],
    data_dir: Path,
    command: Sequence[str] = MODULE,
    folder: Path = ROOT,
    environ: Mapping[str, str] = os.environ,
) -> Iterator[Process]:
    """Starts the service, waits until it says where, and ends it.

    It takes a free port, unless the arguments name one.
    """
    port = () if "--port" in arguments else ("--port", "0")
    popen = subprocess.Popen(
        [*command, "serve", *port, "--data-dir", str(data_dir), *arguments],
        cwd=folder,
        env={**environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    process = Process(popen)
    ready = threading.Event()

    def read() -> None:
        assert popen.stdout is not None
        for line in popen.stdout:
            process.lines.append(line)
            if found := re.search(r'(?:serves .* on |"url": ?")(https?://[^\s"]+)', line):
                process.url = found[1]
            if "curl" in line or '"listening"' in line:  # the last line of the welcome
                ready.set()
        ready.set()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        assert ready.wait(60)
        assert process.url, process.text
        yield process
    finally:
        popen.send_signal(signal.SIGINT)  # without the wait that SIGTERM asks for
        popen.wait(60)
        reader.join()
        assert popen.stdout is not None
        popen.stdout.close()


@contextlib.contextmanager
def shipped(data_dir: Path) -> Iterator[str]:
    """A service with the models that ship: the one that ``SLIMDIAL_TEST_URL`` names, or a new one.

    ``benchmarks.image`` names the service in a container.
    """
    if url := os.environ.get("SLIMDIAL_TEST_URL"):
        yield url
        return
    with serving([], data_dir) as process:
        yield process.url

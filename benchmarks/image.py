"""The serving image, run as it is meant to be: ``python -m benchmarks.image [--image slimdial]``.

Starts the image's own command with a read-only root file system and no capabilities, against a
Valkey server with a password, and runs the end-to-end tests against it: every example of the
documents and of the OpenAPI document. Then it is told to leave. Prints what was seen, and the size.

Where there is no Docker engine, Podman does: ``--engine "podman --storage-driver vfs"``.
"""

import contextlib
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import httpx
import typer

from tests.docker.daemons import ROOT, answers, free_port, make_secrets, until
from tests.docker.stack import valkey

MB = 1e6
LIMIT_BYTES = 1e9
TESTS = ("tests/test_documents.py", "tests/service/test_openapi.py")
HARDENED = (
    "--read-only",
    "--tmpfs=/tmp",
    "--cap-drop=all",
    "--security-opt=no-new-privileges",
    # The host's network: the tests, Valkey and the container find each other at 127.0.0.1.
    "--network=host",
)


@dataclass(frozen=True)
class Engine:
    """Docker, or what takes its commands."""

    command: tuple[str, ...]

    def __call__(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs one of its commands; ends with what it says where it must succeed and does not."""
        done = subprocess.run(
            [*self.command, *arguments], check=False, capture_output=True, text=True
        )
        if check and done.returncode:
            sys.exit(f"{self.command[0]} {arguments[0]}: {done.stderr}")
        return done


def report(what: str, good: bool) -> bool:
    """Prints one line of what was seen."""
    print(f"{'yes' if good else 'NO ':3}  {what}", flush=True)
    return good


def small(engine: Engine, image: str, container: str) -> bool:
    """Prints the size of the image, and of what it adds to its base."""
    size = int(engine("image", "inspect", "--format", "{{.Size}}", image).stdout)
    added = engine("exec", container, "du", "-sm", "/opt/slimdial").stdout.split()[0]
    print(f"{image}: {size / MB:.0f} MB; slimdial and what it needs take {added} MiB of it")
    return report("smaller than 1 GB", size < LIMIT_BYTES)


def looks_right(engine: Engine, container: str, url: str) -> bool:
    """What an operator would look at first."""
    health = httpx.get(f"{url}/healthz").json()

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return engine("exec", container, *command, check=False)

    healthy = run("python3", "-m", "service.healthcheck").returncode == 0
    return all(
        [
            report("healthy: " + health["status"], health["status"] == "ok"),
            report("uses the Redis server of the secret file", not health["redis"]["embedded"]),
            report("HEALTHCHECK passes", healthy),
            report("user 10001", run("id", "-u").stdout.strip() == "10001"),
            report("process 1 is tini", run("cat", "/proc/1/comm").stdout.strip() == "tini"),
            report("the root file system is read-only", run("touch", "/opt/x").returncode != 0),
            report("no torch", run("python3", "-c", "import torch").returncode != 0),
        ]
    )


def leaves(engine: Engine, container: str) -> bool:
    """Whether it ends by itself on SIGTERM."""
    start = time.monotonic()
    engine("stop", "--time=65", container)
    seconds = time.monotonic() - start
    code = engine("inspect", "--format", "{{.State.ExitCode}}", container).stdout.strip()
    return report(f"leaves on SIGTERM: exit code {code} after {seconds:.1f} s", code == "0")


def main(
    image: Annotated[str, typer.Option(help="To run.")] = "slimdial",
    engine: Annotated[str, typer.Option(help="Docker or Podman, with its options.")] = "docker",
    option: Annotated[list[str] | None, typer.Option(help="More options of `run`.")] = None,
) -> None:
    """Runs the image and the tests against it; exit code 1 if anything is not as it should be."""
    sys.exit(not _run(Engine(tuple(shlex.split(engine))), image, option or []))


def _run(engine: Engine, image: str, options: Sequence[str]) -> bool:
    with contextlib.ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        redis_url = running.enter_context(valkey(make_secrets(folder), folder))
        secrets = folder / "mounted"
        secrets.mkdir(mode=0o755)
        (secrets / "slimdial_redis_url").write_text(redis_url)
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        container = engine(
            "run",
            "--detach",
            *HARDENED,
            *options,
            f"--env=SLIMDIAL_PORT={port}",
            f"--volume={secrets}:/run/secrets:ro",
            image,
        ).stdout.strip()
        try:
            until(lambda: answers(f"{url}/readyz"), "the container does not answer")
            good = small(engine, image, container)
            good &= looks_right(engine, container, url)
            tests = subprocess.run(
                [sys.executable, "-m", "pytest", "-q", *TESTS],
                cwd=ROOT,
                env={**os.environ, "SLIMDIAL_TEST_URL": url},
                check=False,
            )
            good &= report("the end-to-end tests pass", tests.returncode == 0)
            good &= leaves(engine, container)
        finally:
            engine("rm", "--force", container)
    return good


if __name__ == "__main__":
    typer.run(main)

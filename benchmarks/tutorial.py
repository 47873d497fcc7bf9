"""The tutorial from its first block to its last: ``python -m benchmarks.tutorial``.

Runs what docs/tutorial.md shows, in one folder: data, training, publishing, the dials, and a
prediction by the service. Left out are the installation, and the container, which
``python -m benchmarks.image`` runs. Prints how long each block took; ends with status 1 at the
first that fails.
"""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.output import show
from tests.documents.blocks import ROOT, Block, blocks
from tests.documents.commands import commands
from tests.service.process import serving

PAGE = "docs/tutorial.md"
LEFT_OUT = frozenset(("docker", "pip"))
SERVE = ["slimdial", "serve"]


@dataclass(frozen=True)
class Step:
    """A block that was run."""

    block: str
    begins_with: str
    seconds: float


def run(
    folder: Path, shown: list[Block], service: contextlib.ExitStack, epochs: int | None
) -> list[Step]:
    """Runs the blocks in their order; a service that they start runs until the stack is closed."""
    address, steps = "localhost:8000", []
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environ = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    for block in shown:
        if block.title is not None:
            file = folder / block.title
            file.parent.mkdir(exist_ok=True)
            given = f"epochs: {epochs}" if epochs else r"\g<0>"
            file.write_text(re.sub(r"epochs: \d+", given, block.text))
            continue
        words = list(commands(block.text))
        if LEFT_OUT & {first for first, *_ in words}:
            continue
        first = " ".join(words[0][:3])
        print(f"{block.name}: {first}", flush=True)
        started = time.monotonic()
        if words[-1][:2] == SERVE:
            arguments = words[-1][2:]
            process = service.enter_context(
                serving(arguments, folder / "data", folder=folder, environ=environ)
            )
            address = process.url.removeprefix("http://")
        else:
            script = block.text.replace("localhost:8000", address)
            command = ["bash", "-e", "-o", "pipefail", "-c", script]
            subprocess.run(command, cwd=folder, env=environ, check=True)
        steps.append(Step(block.name, first, time.monotonic() - started))
    return steps


def main(
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the tutorial's.")] = None,
) -> None:
    """Runs the tutorial."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as service:
        try:
            show("the tutorial", run(Path(folder), blocks(PAGE), service, epochs), None)
        except subprocess.CalledProcessError as error:
            sys.exit(f"failed: {error.cmd[-1]}")


if __name__ == "__main__":
    typer.run(main)

"""Memory of an idle server with one model: ``python -m benchmarks.serving.memory``.

Every configuration is started alone, for processes of one installation share pages, and answers one
prediction. Then the memory of all its processes is added up, shared pages once (PSS).
"""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

from benchmarks.output import show
from benchmarks.serving.job import dial, make_job, pictures
from benchmarks.serving.running import end_on_sigterm, free_port, ready, running
from benchmarks.serving.servers import SERVERS, SLIMDIAL, Configuration, Place, Server
from model_store.published import default_root

_SETTLE_S = 1.0


@dataclass(frozen=True)
class Row:
    """One configuration of a server."""

    server: str
    configuration: str
    processes: int
    megabytes: float
    over_ours: float
    """Over the least that slimdial takes; above 1 slimdial takes less."""


@dataclass(frozen=True)
class Idle:
    """What a server takes that has nothing to do."""

    processes: int
    megabytes: float


def idle(server: Server, configuration: Configuration, place: Place, model: str) -> Idle:
    """Starts a server, asks it once, and looks at its memory.

    Args:
        server: this service first, which finds out what the others are to serve.
        configuration: how it runs.
        place: where.
        model: a model that ships.
    """
    with running(server, configuration, place) as started:
        path = "/predict"
        if server is SLIMDIAL:
            path = dial(started.url, model)["links"]["predict"]
            if not place.job.exists():
                make_job(started.url, model, place.job)
        ready(started.url + path, pictures(place.job)[0])
        time.sleep(_SETTLE_S)
        return Idle(len(started.tree.pids()), started.tree.pss_mb())


def main(
    model: Annotated[str, typer.Option(help="A model that ships.")] = "caltech100",
    file: Annotated[Path | None, typer.Option("--json", help="Write the table here.")] = None,
) -> None:
    """Compare what servers take when they have nothing to do."""
    end_on_sigterm()
    wanted = [(server, each) for server in SERVERS for each in server.configurations]
    found: list[Idle] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = folder / "models"
        models.mkdir()
        (models / model).symlink_to(default_root() / model)
        for server, configuration in track(wanted, "starting servers", transient=True):
            place = Place(folder / str(len(found)), folder / "job", free_port(), models)
            found.append(idle(server, configuration, place, model))
    least = min(i.megabytes for (s, _), i in zip(wanted, found, strict=True) if s is SLIMDIAL)
    rows = [
        Row(server.name, configuration.name, i.processes, i.megabytes, i.megabytes / least)
        for (server, configuration), i in zip(wanted, found, strict=True)
    ]
    show(f"{model}: idle", rows, file)


if __name__ == "__main__":
    typer.run(main)

"""This service beside others: ``python -m benchmarks.serving.side_by_side --json FILE``.

The same network and the same pictures through each of them, in rounds: every server has its turn in
every round, so that whatever the machine does hits all alike. Servers that wait for their turn are
stopped (SIGSTOP). Rounds are added to the JSON file, and all that is in it is summed up. The other
servers need virtual environments of their own: ``benchmarks/serving/peers/install``.
"""

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.output import show
from benchmarks.serving import bare
from benchmarks.serving.job import Job, check_same, dial, make_job
from benchmarks.serving.load import Load, cores, offer
from benchmarks.serving.rounds import BARE, ENCODED, Kind, Turn, read, write
from benchmarks.serving.running import Running, end_on_sigterm, free_port, ready, running
from benchmarks.serving.servers import FASTAPI, SERVERS, SLIMDIAL, Configuration, Place, Server
from benchmarks.serving.summary import summary, verdicts
from model_store.published import default_root

CLIENTS = 8
STEADY = 0.7
"""Of what the slowest server answers: the rate at which all are asked for their latency."""
_SETTLE_S = 1.0


@dataclass(frozen=True)
class Contender:
    """A server that has answered its first prediction, and waits for its turn."""

    running: Running
    predict: str

    @contextmanager
    def turn(self) -> Iterator[Running]:
        """It runs, and no other server does."""
        self.running.tree.go_on()
        try:
            yield self.running
        finally:
            self.running.tree.hold()


@dataclass
class Match:
    """Servers side by side, with the network of one model."""

    model: str
    seconds: float
    """Of a turn."""
    rate: float | None
    """Of the turns at a fixed rate; None before the first of them."""
    contenders: list[Contender] = field(default_factory=list)
    pss_mb: list[float] = field(default_factory=list)
    """Of each of them, idle."""

    def start(
        self, servers: ExitStack, folder: Path, wanted: Sequence[tuple[Server, Configuration]]
    ) -> Job:
        """Starts the servers, of which the first is this one; the stack ends them.

        Raises:
            ValueError: two servers give different answers.
        """
        models, job_folder = folder / "models", folder / "job"
        models.mkdir()
        (models / self.model).symlink_to(default_root() / self.model)
        job, first = None, None
        for number, (server, configuration) in enumerate(wanted):
            place = Place(folder / str(number), job_folder, free_port(), models)
            started = servers.enter_context(running(server, configuration, place))
            job = job or make_job(started.url, self.model, job_folder)
            path = "/predict"
            if server is SLIMDIAL:
                path = dial(started.url, self.model)["links"]["predict"]
            answer = ready(started.url + path, job.pictures[0])
            first = first or answer
            check_same(first, answer, server.name)
            time.sleep(_SETTLE_S)
            started.tree.hold()
            self.contenders.append(Contender(started, path))
        assert job is not None
        self.pss_mb = [c.running.tree.pss_mb() for c in self.contenders]
        return job

    def play(self, job: Job, number: int) -> Iterator[Turn]:
        """One round."""
        body = job.pictures[number % len(job.pictures)]
        answered: list[float] = []
        for index, contender in enumerate(self.contenders):
            with contender.turn() as server:
                load = offer(server.at(contender.predict), body, CLIENTS, self.seconds)
            answered.append(load.per_s)
            yield self._turn(number, index, "predict", load)
        for name, encode in ((BARE, False), (ENCODED, True)):
            load = bare.loop(job.folder, body.file, self.seconds, cores(), encode)
            how = f"{cores()} processes"
            yield Turn(self.model, number, name, how, "predict", None, 0.0, load)
        control = next(i for i, c in enumerate(self.contenders) if c.running.server is FASTAPI)
        with self.contenders[control].turn() as server:
            target = server.at(self.contenders[control].predict)
            load = offer(target, body, CLIENTS, self.seconds)
        yield self._turn(number, control, "control", load)
        for index, contender in enumerate(self.contenders):
            with contender.turn() as server:
                load = offer(server.at(server.server.noop), None, CLIENTS, self.seconds)
            yield self._turn(number, index, "noop", load)
        self.rate = self.rate or STEADY * min(answered)
        for index, contender in enumerate(self.contenders):
            with contender.turn() as server:
                target = server.at(contender.predict)
                load = offer(target, body, CLIENTS, self.seconds, self.rate)
            yield self._turn(number, index, "steady", load)

    def _turn(self, number: int, index: int, kind: Kind, load: Load) -> Turn:
        at = self.contenders[index].running
        rate = self.rate if kind == "steady" else None
        return Turn(
            self.model,
            number,
            at.server.name,
            at.configuration.name,
            kind,
            rate,
            self.pss_mb[index],
            load,
        )


def main(
    model: Annotated[str, typer.Option(help="A model that ships.")] = "caltech100",
    rounds: Annotated[int, typer.Option(min=0, help="0 sums up what is there.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.2, help="Of each turn.")] = 2.0,
    only: Annotated[list[str] | None, typer.Option(help="Beside slimdial and FastAPI.")] = None,
    every: Annotated[bool, typer.Option(help="All configurations, not the best only.")] = False,
    file: Annotated[Path | None, typer.Option("--json", help="Rounds are added here.")] = None,
) -> None:
    """Compare servers."""
    end_on_sigterm()
    turns = read(file)
    mine = [t for t in turns if t.model == model]
    first = 1 + max((t.round for t in mine), default=-1)
    rate = next((t.offered_per_s for t in mine if t.kind == "steady"), None)
    wanted = [
        (server, configuration)
        for server in SERVERS
        if not only or server.name in (SLIMDIAL.name, FASTAPI.name, *only)
        for configuration in server.configurations[: None if every else 1]
    ]
    if rounds:
        match = Match(model, seconds, rate)
        with tempfile.TemporaryDirectory() as folder, ExitStack() as servers:
            job = match.start(servers, Path(folder), wanted)
            for number in range(first, first + rounds):
                turns += match.play(job, number)
                if file is not None:
                    write(file, turns)
    for name in sorted({t.model for t in turns}):
        found = [t for t in turns if t.model == name]
        show(f"{name}, {cores()} cores", summary(found), None)
        show(f"{name}: targets", verdicts(found), None)


if __name__ == "__main__":
    typer.run(main)

"""Rounds summed up: ratios within a round, then their median over the rounds."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.serving.rounds import BARE, ENCODED, Kind, Turn
from benchmarks.serving.servers import FASTAPI, SLIMDIAL

_DRIFT = 0.1


@dataclass(frozen=True)
class Ratio:
    """A median over rounds, and the range."""

    median: float
    least: float
    most: float

    @staticmethod
    def of(values: Sequence[float]) -> "Ratio":
        """Of at least one value."""
        return Ratio(statistics.median(values), min(values), max(values))

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.least:.2f} to {self.most:.2f})"


@dataclass(frozen=True)
class Row:
    """A server in one configuration. Ratios are such that above 1 slimdial is ahead."""

    server: str
    configuration: str
    predict: Ratio
    """Predictions a second: slimdial's over this server's."""
    p99: Ratio
    """Latency of these: this server's over slimdial's."""
    p99_steady: Ratio | None
    """The same where all are asked equally often."""
    noop: Ratio | None
    """Requests a second that do nothing: slimdial's over this server's."""
    memory: float
    """Idle: this server's over slimdial's; see also :mod:`benchmarks.serving.memory`."""
    cpu: Ratio
    """Processor time of a prediction: this server's over slimdial's."""
    client_share: float
    """Of the processor time of server and load generator."""
    failed: int
    rounds: int


@dataclass(frozen=True)
class Verdict:
    """A target, and what was measured."""

    what: str
    target: str
    measured: str
    reached: bool


class Rounds:
    """Turns of one model, without the rounds in which the control drifted."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        """The turns, all of one model."""
        drifted = {t.round for t in turns if t.kind == "control" and abs(_drift(turns, t)) > _DRIFT}
        kept = [t for t in turns if t.round not in drifted]
        # On a machine that never is quiet, all rounds are better than none.
        self._turns = kept or list(turns)

    def names(self) -> list[tuple[str, str]]:
        """Servers and configurations in order."""
        return list(dict.fromkeys((t.server, t.configuration) for t in self._turns))

    def of(self, server: str, configuration: str, kind: Kind) -> dict[int, Turn]:
        """A server's turns by round."""
        return {
            t.round: t
            for t in self._turns
            if (t.server, t.configuration, t.kind) == (server, configuration, kind)
        }

    def best(self, server: str) -> str:
        """The configuration with the most predictions a second."""
        found = [c for s, c in self.names() if s == server]
        return max(
            found, key=lambda c: _median(self.of(server, c, "predict"), lambda t: t.load.per_s)
        )


def _drift(turns: Sequence[Turn], control: Turn) -> float:
    first = next(
        t.load.per_s
        for t in turns
        if (t.round, t.server, t.kind) == (control.round, control.server, "predict")
        and t.configuration == control.configuration
    )
    return control.load.per_s / first - 1


def _median(turns: dict[int, Turn], of: Callable[[Turn], float]) -> float:
    return statistics.median(of(t) for t in turns.values())


def _ratio(above: dict[int, Turn], below: dict[int, Turn], of: Callable[[Turn], float]) -> Ratio:
    both = above.keys() & below.keys()
    return Ratio.of([of(above[r]) / of(below[r]) for r in sorted(both)])


def summary(turns: Sequence[Turn]) -> list[Row]:
    """A row for each server and configuration."""
    rounds = Rounds(turns)
    return [row(rounds, server, configuration) for server, configuration in rounds.names()]


def best_rows(turns: Sequence[Turn]) -> list[Row]:
    """A row for each server, in its best configuration."""
    rounds = Rounds(turns)
    servers = dict.fromkeys(server for server, _ in rounds.names())
    return [row(rounds, server, rounds.best(server)) for server in servers]


def row(rounds: Rounds, server: str, configuration: str) -> Row:
    """One of them, beside the best configuration of this service."""
    best = rounds.best(SLIMDIAL.name)

    def both(kind: Kind) -> tuple[dict[int, Turn], dict[int, Turn]]:
        return rounds.of(server, configuration, kind), rounds.of(SLIMDIAL.name, best, kind)

    predict, our_predict = both("predict")
    steady, our_steady = both("steady")
    noop, our_noop = both("noop")
    return Row(
        server=server,
        configuration=configuration,
        predict=_ratio(our_predict, predict, lambda t: t.load.per_s),
        p99=_ratio(predict, our_predict, lambda t: t.load.p99_ms),
        p99_steady=_ratio(steady, our_steady, lambda t: t.load.p99_ms) if steady else None,
        noop=_ratio(our_noop, noop, lambda t: t.load.per_s) if noop else None,
        memory=_median(predict, lambda t: t.pss_mb) / _median(our_predict, lambda t: t.pss_mb),
        cpu=_ratio(predict, our_predict, lambda t: t.load.server_ms),
        client_share=_median(predict, lambda t: t.load.client_share),
        failed=sum(t.load.failed for t in (*predict.values(), *steady.values(), *noop.values())),
        rounds=len(predict),
    )


def verdicts(turns: Sequence[Turn]) -> list[Verdict]:
    """The targets, against each server's best configuration."""
    rows = {r.server: r for r in best_rows(turns)}
    peers = [r for s, r in rows.items() if s not in (SLIMDIAL.name, BARE, ENCODED)]
    over = rows[BARE].predict
    found = [Verdict(f"/predict over the {BARE}", "at least 0.92", str(over), over.median >= 0.92)]
    for r in peers:
        found.append(_ahead(f"/predict over {r.server}", r.predict))
        found.append(_ahead(f"p99 of {r.server} over ours", r.p99))
        if r.p99_steady is not None:
            found.append(_ahead(f"p99 of {r.server} over ours, fixed rate", r.p99_steady))
    for r in peers:
        if r.noop is not None:
            plain = r.server == FASTAPI.name
            least = 0.9 if plain else 1.0
            target = "at least 0.9" if plain else "above 1"
            reached = r.noop.median > least
            found.append(Verdict(f"no-op over {r.server}", target, str(r.noop), reached))
    return found


def _ahead(what: str, ratio: Ratio) -> Verdict:
    return Verdict(what, "above 1", str(ratio), ratio.median > 1)

"""What was measured, kept in a JSON file that further rounds are added to."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from benchmarks.serving.load import Load

BARE = "bare loop"
ENCODED = "bare loop that encodes"
"""Not servers: what is measured against."""

Kind: TypeAlias = Literal["predict", "steady", "noop", "control"]
"""Predictions as fast as they are answered; at a fixed rate; requests that do nothing; and
predictions of the control once more, at the end of a round."""


@dataclass(frozen=True)
class Turn:
    """One server's turn in one round."""

    model: str
    round: int
    server: str
    configuration: str
    kind: Kind
    offered_per_s: float | None
    """The rate, where it is fixed."""
    pss_mb: float
    """Memory of all its processes before the first load."""
    load: Load


def read(file: Path | None) -> list[Turn]:
    """The turns in a file; none if there is no file yet."""
    if file is None or not file.exists():
        return []
    return [Turn(**{**t, "load": Load(**t["load"])}) for t in json.loads(file.read_text())]


def write(file: Path, turns: Iterable[Turn]) -> None:
    """All turns."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps([asdict(t) for t in turns], indent=1))

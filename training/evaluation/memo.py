"""Measured sub-networks on disk: whatever happens, nothing is measured twice."""

import json
import os
from dataclasses import asdict
from pathlib import Path

from model_store.subnet.space import Architecture
from training.evaluate import Quality
from training.ranks import Ranks

Channels = tuple[tuple[str, int], ...]


class Memo:
    """A file of one JSON line for each sub-network, appended to as they are measured.

    A line is told from others by a key, a digest of everything but the channel counts that its
    numbers depend on: network, test images, calibration images. Lines of other keys are kept.

    Args:
        path: the file; the first rank reads and writes it.
        ranks: the processes that evaluate together.

    Raises:
        ValueError: the file holds something else.
    """

    def __init__(self, path: Path, ranks: Ranks) -> None:
        self.path, self.ranks = path, ranks
        self.found: dict[tuple[str, Channels], Quality] = ranks.from_first(lambda: _read(path))

    def get(self, key: str, architecture: Architecture) -> Quality | None:
        """What was measured under this key."""
        return self.found.get((key, _channels(architecture)))

    def add(self, key: str, architecture: Architecture, quality: Quality) -> None:
        """Remembers a measurement, on disk before this returns."""
        self.found[key, _channels(architecture)] = quality
        if not self.ranks.first:
            return
        line = {"key": key, "channels": architecture.as_dict(), **asdict(quality)}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())


def _channels(architecture: Architecture) -> Channels:
    return tuple(architecture.as_dict().items())


def _read(path: Path) -> dict[tuple[str, Channels], Quality]:
    if not path.exists():
        return {}
    content = path.read_bytes()
    # An interruption can leave half a line, which the next one must not be appended to.
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        os.truncate(path, len(whole))
    found: dict[tuple[str, Channels], Quality] = {}
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            entry = json.loads(line)
            channels = tuple((str(g), int(c)) for g, c in entry["channels"].items())
            found[str(entry["key"]), channels] = Quality(
                entry["losses"], entry["metrics"], entry["further"]
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{path}, line {number}, is not a measured sub-network ({error}); "
                "move the file away, and evaluate again"
            ) from error
    return found

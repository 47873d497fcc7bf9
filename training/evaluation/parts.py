"""Finished parts of an evaluation on disk, from which an interrupted one goes on."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from training.evaluation.results import Result
from training.ranks import Ranks

R = TypeVar("R", bound=Result)


class _Stored(BaseModel):
    key: str
    result: Any


class Parts:
    """A folder of one JSON file for each part, tied to what the part was made from.

    Args:
        folder: made if it is not there.
        ranks: the processes that evaluate together; the first reads and writes.
    """

    def __init__(self, folder: Path, ranks: Ranks) -> None:
        self.folder, self.ranks = folder, ranks

    def get(self, name: str, depends: object, kind: type[R], make: Callable[[], R]) -> R:
        """A part, from its file if that was made from the same, or made now and written.

        Args:
            name: the part.
            depends: what its result depends on; anything that JSON can say.
            kind: the class of the result.
            make: makes it, on all ranks together.

        Raises:
            ValueError: the file holds something else.
        """
        path = self.folder / f"{name}.json"
        # Results of another release may have other fields; those are made again.
        schema = kind.model_json_schema()
        key = hashlib.sha256(json.dumps([schema, depends]).encode()).hexdigest()
        stored = self.ranks.from_first(lambda: _read(path, key, kind))
        if stored is not None:
            return stored
        made = make()
        if self.ranks.first:
            self.folder.mkdir(parents=True, exist_ok=True)
            temporary = path.with_suffix(".partial")
            content = {"key": key, "result": made.model_dump(mode="json")}
            temporary.write_text(json.dumps(content, indent=1))
            temporary.replace(path)
        return made


def _read(path: Path, key: str, kind: type[R]) -> R | None:
    if not path.exists():
        return None
    try:
        stored = _Stored.model_validate_json(path.read_bytes())
        return kind.model_validate(stored.result) if stored.key == key else None
    except ValidationError as error:
        raise ValueError(
            f"{path} is not part of an evaluation; move it away, and evaluate again"
        ) from error

"""Logs: a line for each request and each event, for people or as JSON.

A line says of which request it is a part: whatever is logged while one is answered, and by a build
that it started, has its id. Stack traces are shown at level debug only, and the messages of
exceptions nobody expected as well: both hold paths, and may hold anything.
"""

import contextlib
import logging
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic_core import to_json

from service.settings import Settings

_FRAMES = 6


@dataclass
class Facts:
    """What is known of a request; more and more, while it is answered."""

    request_id: str
    key: str | None = None
    """The name of its API key."""
    model: str | None = None
    subnet_id: str | None = None
    cache: str | None = None
    """hit where the sub-network had been built before, else miss."""


_current: ContextVar[Facts | None] = ContextVar("facts", default=None)


@contextlib.contextmanager
def about(facts: Facts) -> Iterator[None]:
    """What is logged in the block, and in tasks begun there, is about this request."""
    token = _current.set(facts)
    try:
        yield
    finally:
        _current.reset(token)


def current() -> Facts | None:
    """What is known of the request that is being answered; None outside of one."""
    return _current.get()


def request_id() -> str | None:
    """Of the request that is being answered; None outside of one."""
    facts = current()
    return None if facts is None else facts.request_id


def note(**known: str) -> None:
    """Adds to what is known of the request that is being answered; nothing outside of one.

    Args:
        known: fields of :class:`Facts`.
    """
    facts = _current.get()
    if facts is not None:
        for name, value in known.items():
            setattr(facts, name, value)


def fields(**values: object) -> dict[str, dict[str, object]]:
    """For the ``extra`` of a log call: what belongs to the event beside its message."""
    return {"fields": {name: value for name, value in values.items() if value is not None}}


def configure(settings: Settings) -> None:
    """Logs of a process: what the service says, and the warnings of uvicorn."""
    as_json = settings.log_format == "json"
    handler = logging.StreamHandler(sys.stdout if as_json else sys.stderr)
    stacks = settings.log_level == "debug"
    handler.setFormatter(JsonLines(stacks) if as_json else TextLines(stacks))
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler])
    logging.captureWarnings(as_json)
    # No line shows thread, process or place: as the logging HOWTO has it, they are not looked up.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None
    if not stacks:
        # Their warnings are about what clients send, which is refused, and logged as such.
        for name in ("uvicorn", "python_multipart"):
            logging.getLogger(name).setLevel(logging.ERROR)


class _Lines(logging.Formatter):
    def __init__(self, stacks: bool) -> None:
        """With the messages and stacks of exceptions, or without."""
        super().__init__()
        self._stacks = stacks

    def described(self, record: logging.LogRecord) -> Mapping[str, object]:
        """What the record says beside its message."""
        facts = _current.get()
        found: dict[str, object] = {}
        if facts is not None:
            found = {"request_id": facts.request_id, **({"key": facts.key} if facts.key else {})}
        found |= getattr(record, "fields", {})
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            found["error"] = type(error).__name__
            found["where"] = " > ".join(_frames(error))
        return found

    def stack(self, record: logging.LogRecord) -> str | None:
        """The stack trace, where there is one to be shown."""
        error = record.exc_info[1] if record.exc_info else None
        return "".join(traceback.format_exception(error)) if error and self._stacks else None


class JsonLines(_Lines):
    """A JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **self.described(record),
        }
        if stack := self.stack(record):
            line["stack"] = stack
        return to_json(line, fallback=str).decode()


class TextLines(_Lines):
    """For people: local time, level, logger, message, and the rest as ``name=value``."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; more where there is a stack trace."""
        time = datetime.fromtimestamp(record.created).isoformat(" ", "milliseconds")
        line = f"{time} {record.levelname} {record.name}: {record.getMessage()}"
        rest = (f"{name}={value}" for name, value in self.described(record).items())
        line = " ".join((line, *rest)).replace("\r", "\\r").replace("\n", "\\n")
        stack = self.stack(record)
        return f"{line}\n{stack}" if stack else line


def _frames(error: BaseException) -> list[str]:
    """Where it was raised, innermost last: modules and lines instead of files."""
    frames = list(traceback.walk_tb(error.__traceback__))[-_FRAMES:]
    return [
        f"{frame.f_globals.get('__name__', '?')}.{frame.f_code.co_name}:{line}"
        for frame, line in frames
    ]

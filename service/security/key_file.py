"""The file of API keys: changed in one piece, by one process at a time."""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from service.security.keys import Keys, KeysError

T = TypeVar("T")

_MOST_BYTES = 1 << 20


def read_keys(file: Path) -> Keys:
    """The keys in a file.

    Raises:
        KeysError: it cannot be read, or is not one of keys; the message names it, not its folder.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise KeysError(f"{file.name} cannot be read: {error.strerror}") from None
    if len(content) > _MOST_BYTES:
        raise KeysError(f"{file.name} is larger than {_MOST_BYTES} bytes")
    try:
        return Keys.read(content)
    except KeysError as error:
        raise KeysError(f"{file.name} is not a file of API keys: {error}") from None


def change_keys(file: Path, change: Callable[[Keys], tuple[Keys, T]]) -> T:
    """Puts other keys into a file; services that use it see the old ones or the new ones.

    Args:
        file: made if it is not there, readable by its owner only; else it keeps owner and mode.
        change: the keys that are there to those that shall be, and what to return.

    Raises:
        KeysError: the file cannot be read, the change is refused, or the file is of another user to
            whom a new one cannot be given.
        OSError: the file cannot be written.
    """
    file = file.resolve()
    with _alone(file.parent):
        there = file.stat() if file.exists() else None
        keys, result = change(Keys() if there is None else read_keys(file))
        _replace(file, keys.written(), there)
    return result


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace(file: Path, content: bytes, there: os.stat_result | None) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            if there is not None:
                _give(stream.fileno(), there, file.name)
            os.fsync(stream.fileno())
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)


def _give(descriptor: int, there: os.stat_result, name: str) -> None:
    """Owner, group and mode: a service that runs as another user shall read the new file too."""
    made = os.fstat(descriptor)
    if (made.st_uid, made.st_gid) != (there.st_uid, there.st_gid):
        try:
            os.fchown(descriptor, there.st_uid, there.st_gid)
        except PermissionError:
            raise KeysError(
                f"{name} is of user {there.st_uid} and group {there.st_gid}: change it as that "
                "user, or as root"
            ) from None
    os.fchmod(descriptor, there.st_mode & 0o777)

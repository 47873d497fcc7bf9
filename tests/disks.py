"""A disk that is small enough to be filled."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

DISK_BYTES = 1 << 20


@contextlib.contextmanager
def mounted(folder: Path) -> Iterator[Path]:
    """A file system of its own, as large as :data:`DISK_BYTES`; skips where that is forbidden."""
    folder.mkdir()
    size = f"size={DISK_BYTES}"
    found = subprocess.run(["mount", "-t", "tmpfs", "-o", size, "none", folder], check=False)
    if found.returncode:
        pytest.skip("needs the right to mount a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(disk: Path) -> None:
    """Leaves no room on it."""
    with (disk / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))

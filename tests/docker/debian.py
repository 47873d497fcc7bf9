"""Programs of Debian packages, for tests: installed, or unpacked into a folder of their own."""

import fcntl
import shutil
import subprocess
import tempfile
from pathlib import Path

import platformdirs
import pytest

CACHE = platformdirs.user_cache_path("slimdial-tests")


def program(name: str, package: str) -> str:
    """The path of a program; needs no root, and the network only the first time.

    Skips the test where the program is neither installed nor to be had.
    """
    found = shutil.which(name)
    if found is not None:
        return found
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{package}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        root = CACHE / package
        if not root.exists():
            _unpack(package, root)
    return str(root / "usr/bin" / name)


def _unpack(package: str, root: Path) -> None:
    if shutil.which("apt-get") is None:
        pytest.skip(f"{package} is not installed, and there is no apt-get to download it with")
    with tempfile.TemporaryDirectory(dir=CACHE) as temporary:
        folder = Path(temporary)
        lists = ("-o", f"Dir::State::Lists={folder}")
        for command in (
            ("apt-get", "download", package),
            # Where the machine has never fetched the lists of packages.
            ("apt-get", *lists, "update"),
            ("apt-get", *lists, "download", package),
        ):
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            archive = next(folder.glob("*.deb"), None)
            if archive is not None:
                break
        else:
            pytest.skip(f"{package} is not installed and cannot be downloaded: {done.stderr}")
        unpacked = folder / "unpacked"
        subprocess.run(["dpkg-deb", "--extract", archive, unpacked], check=True)
        unpacked.rename(root)

"""Latency profiles in the data folder: a file for each model version and place."""

import hashlib
import logging
import os
import platform
import tempfile
from pathlib import Path

from pydantic import ValidationError

from model_store.latency import LatencyProfile, Place
from model_store.published import PublishedModel
from service.device import Device

log = logging.getLogger(__name__)

_FOLDER = "profiles"


def place_of(device: Device, gpu_precision: str) -> Place:
    """Where this process's networks run."""
    return Place(
        provider=device.provider,
        threads=device.intra_op_threads,
        precision=gpu_precision if device.is_gpu else "fp32",
        machine=machine(),
    )


def machine(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's name, as Linux says it; elsewhere as Python does."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{platform.machine()} {named[0] if named else platform.processor()}".strip()


class Profiles:
    """The profiles of one place. A profile that was written meanwhile is seen at once."""

    def __init__(self, data_dir: Path, place: Place) -> None:
        """Reads nothing yet.

        Args:
            data_dir: the service's data folder.
            place: where networks run.
        """
        self._folder = data_dir / _FOLDER
        self.place = place
        self._read: dict[Path, tuple[tuple[int, int, int], LatencyProfile | None]] = {}

    def path_of(self, model: PublishedModel) -> Path:
        """The file of a model's profile."""
        key = f"{model.digest}\n{self.place.model_dump_json()}"
        return self._folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"

    def of(self, model: PublishedModel) -> LatencyProfile | None:
        """The profile of a model version in this place; None where there is none to be used."""
        path = self.path_of(model)
        try:
            known = path.stat()
        except OSError:
            return None
        stamp = (known.st_mtime_ns, known.st_size, known.st_ino)
        if path not in self._read or self._read[path][0] != stamp:
            self._read[path] = (stamp, self._load(path, model))
        return self._read[path][1]

    def write(self, model: PublishedModel, profile: LatencyProfile) -> Path:
        """Keeps a profile in place of the one before, and returns its file.

        Raises:
            OSError: the folder cannot be written.
        """
        path = self.path_of(model)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            temporary = Path(file.name)
            try:
                file.write(profile.model_dump_json(indent=1).encode())
                file.flush()
                os.fsync(file.fileno())
                temporary.replace(path)
            except BaseException:
                temporary.unlink()
                raise
        return path

    def _load(self, path: Path, model: PublishedModel) -> LatencyProfile | None:
        try:
            profile = LatencyProfile.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            log.warning("latency profile %s is not usable: %s", path.name, type(error).__name__)
            return None
        if (profile.model_digest, profile.place) != (model.digest, self.place):
            log.warning("latency profile %s is that of another model or place", path.name)
            return None
        return profile

"""Settings of the service, from the environment (``SLIMDIAL_...``) and the command line."""

import os
import tempfile
from pathlib import Path
from typing import Literal

import platformdirs
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from redis.asyncio.connection import parse_url


def usable_cores() -> int:
    """The cores that this process may run on (a container's CPU set, not the whole machine)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def default_data_dir() -> Path:
    """The platform's data folder, or one in the temporary folder where that is not writable."""
    folder = platformdirs.user_data_path("slimdial")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return Path(tempfile.gettempdir()) / f"slimdial-{os.getuid()}"


class Settings(BaseSettings):
    """Everything that can be set. Sizes in bytes, times in seconds."""

    model_config = SettingsConfigDict(env_prefix="SLIMDIAL_", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65_535)
    """0 takes a free port."""
    models_root: Path | None = None
    """The folder of published models; those that ship with the project if not set."""
    default_model: str | None = None
    """The model of requests that name none; the first by name if not set."""

    redis_url: SecretStr | None = None
    """redis://, rediss:// or unix://; an embedded server in the data folder if not set."""

    @field_validator("redis_url")
    @classmethod
    def _readable(cls, url: SecretStr | None) -> SecretStr | None:
        if url is None:
            return None
        try:
            parse_url(url.get_secret_value())
        except ValueError:
            # Without the cause, which may quote a password.
            raise ValueError("expected redis://, rediss:// or unix://, host and port") from None
        return url

    data_dir: Path = Field(default_factory=default_data_dir)
    """Where the embedded server keeps its socket and its entries."""
    request_ttl_s: float = Field(default=86_400.0, gt=0)
    """How long it is remembered which sub-network answers a request."""
    subnet_ttl_s: float = Field(default=86_400.0, gt=0)
    """How long a sub-network is kept in Redis."""
    memory_bytes: int = Field(default=256 << 20, ge=0)
    """Cache entries held in memory while Redis is away."""

    max_image_bytes: int = Field(default=20 << 20, gt=0)
    max_pixels: int = Field(default=32_000_000, gt=0)
    """Pixels of an input image; outputs are mapped back to its size, so it bounds them too."""
    max_output_bytes: int = Field(default=256 << 20, gt=0)
    """Bytes of one response's dense outputs before compression."""
    max_body_bytes: int = Field(default=32 << 20, gt=0)

    max_sessions: int = Field(default=32, ge=1)
    """Sub-networks held ready to predict."""
    max_session_bytes: int = Field(default=1 << 30, gt=0)
    """Estimated memory of those."""
    threads: int = Field(default_factory=usable_cores, ge=1)
    """Predictions that run at the same time, and threads of a calibration."""
    intra_op_threads: int = Field(default=1, ge=1)
    """Threads of one prediction on the CPU."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto: CUDA where it really works, else the CPU. cuda: CUDA or refuse to start."""

    drain_s: float = Field(default=2.0, ge=0)
    """How long /readyz says 503 after SIGTERM before connections are closed."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"

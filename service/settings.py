"""Settings of the service, from the environment (``SLIMDIAL_...``) and the command line."""

import os
import tempfile
from pathlib import Path
from typing import Any, Literal, Self, cast

import platformdirs
from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
)
from redis.asyncio.connection import parse_url

from service.cpu_limit import usable_cores


def default_data_dir() -> Path:
    """The platform's data folder, or one in the temporary folder where that is not writable."""
    folder = platformdirs.user_data_path("slimdial")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return Path(tempfile.gettempdir()) / f"slimdial-{os.getuid()}"


def _share_of_cores(given: dict[str, Any]) -> int:
    workers: int = given.get("workers", 1)
    return max(1, usable_cores() // workers)


class Settings(BaseSettings):
    """Everything that can be set. Sizes in bytes, times in seconds."""

    model_config = SettingsConfigDict(
        env_prefix="SLIMDIAL_", frozen=True, secrets_dir="/run/secrets"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given, then the environment, then files such as /run/secrets/slimdial_redis_url.

        That folder is where containers find secrets. Elsewhere there is none, or one that is not
        for this process: nothing to warn of.
        """
        folder = cast("SecretsSettingsSource", file_secret_settings).secrets_dir
        files = (file_secret_settings,) if os.access(str(folder), os.R_OK | os.X_OK) else ()
        return (init_settings, env_settings, *files)

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65_535)
    """0 takes a free port."""
    api_keys_file: Path | None = None
    """Keys that are let in, as ``slimdial key`` writes them; without it everybody is."""
    tls_certificate: Path | None = None
    """PEM, with the chain; HTTPS instead of HTTP."""
    tls_key: Path | None = None
    """PEM; in the file of the certificate if not set."""
    tls_key_password: SecretStr | None = None
    tls_client_ca: Path | None = None
    """PEM; only clients with a certificate of one of these authorities are let in."""
    workers: int = Field(default=1, ge=1, le=256)
    """Processes that share the port, the cores, and the metrics."""
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
    """Where the embedded server keeps its socket and its entries, and latency profiles are."""
    request_ttl_s: float = Field(default=86_400.0, gt=0)
    """How long it is remembered which sub-network answers a request."""
    subnet_ttl_s: float = Field(default=86_400.0, gt=0)
    """How long a sub-network is kept in Redis."""
    memory_bytes: int = Field(default=256 << 20, ge=0)
    """Cache entries in memory: what Redis does not have, and copies of small ones."""

    max_image_bytes: int = Field(default=20 << 20, gt=0)
    max_pixels: int = Field(default=32_000_000, gt=0)
    """Pixels of an input image; outputs are mapped back to its size, so it bounds them too."""
    max_output_bytes: int = Field(default=256 << 20, gt=0)
    """Bytes of one response's dense outputs before compression."""
    max_body_bytes: int = Field(default=32 << 20, gt=0)
    max_total_body_bytes: int = Field(default=512 << 20, gt=0)
    """Bodies of all requests that are inside, of each worker; further ones are refused with 503."""
    max_connections: int = Field(default=512, gt=0)
    """Connections of each worker; requests on further ones are refused with 503."""
    upload_timeout_s: float = Field(default=20.0, gt=0, le=3600)
    """How long the head of a request may take to arrive, and then its body, which is given a second
    more for every 64 KiB that have come; and how long a client may read nothing of an answer."""

    max_session_bytes: int = Field(default=2 << 30, gt=0)
    """Estimated memory of the sub-networks held ready to predict, of each worker."""
    threads: int = Field(default_factory=_share_of_cores, ge=1)
    """Threads that networks run on, of each worker: by default its share of the cores that the CPU
    set and the container's quota allow."""
    intra_op_threads: int = Field(default=1, ge=1)
    """Threads of one prediction on the CPU; threads / intra_op_threads predictions run at a time.
    """
    request_timeout_s: float = Field(default=60.0, gt=0, le=86_400)
    """The longest that a request may take; the header X-Request-Timeout-Ms asks for less."""
    max_queue: int = Field(default=128, ge=0)
    """Predictions that wait for a thread, of each worker; further ones are refused with 429."""
    max_builds: int = Field(default=1, ge=1)
    """Sub-networks that are cut out at a time, of each worker; each calibrates on all threads."""
    max_queued_builds: int = Field(default=64, ge=0)
    """Different sub-networks that wait for that; further ones are refused with 429."""
    batching: Literal["auto", "on", "off"] = "auto"
    """Whether waiting predictions of one sub-network run together. auto: on a GPU only."""
    max_batch: int = Field(default=8, ge=1)
    """The most predictions that run together."""

    max_tensor_batch: int = Field(default=32, ge=1)
    """The most images of one request over the Open Inference Protocol."""

    autopilot_ms: float | None = Field(default=None, gt=0)
    """What nine of ten predictions should take at most, queueing included. While they take longer,
    requests that say ``adaptive`` are answered with smaller sub-networks. Off if not set."""
    autopilot_window_s: float = Field(default=0.5, gt=0)
    """How often that is judged."""

    device: Literal["auto", "cpu", "cuda", "tensorrt"] = "auto"
    """auto: CUDA where it really works, else the CPU. cuda, tensorrt: that or refuse to start."""
    require_gpu: bool = False
    """auto does not fall back to the CPU: the service refuses to start without a GPU."""
    gpu_precision: Literal["fp32", "fp16"] = "fp32"
    """What networks compute in on a GPU; inputs and outputs stay float32."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.require_gpu and self.device == "cpu":
            raise ValueError("require_gpu and device cpu contradict each other")
        if self.tls_certificate is None and (self.tls_key or self.tls_client_ca):
            raise ValueError("tls_key and tls_client_ca go with a tls_certificate")
        if self.max_total_body_bytes < self.max_body_bytes:
            raise ValueError("max_total_body_bytes has room for a body of max_body_bytes")
        return self

    drain_s: float = Field(default=2.0, ge=0)
    """How long requests are still answered after SIGTERM, while /readyz says 503."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"
    """text: for people, on stderr. json: a JSON object a line, on stdout."""

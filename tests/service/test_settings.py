from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from service.cpu_limit import usable_cores
from service.settings import Settings, default_data_dir


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIMDIAL_PORT", "1234")
    monkeypatch.setenv("SLIMDIAL_REDIS_URL", "redis://user:sesame@host:1/0")
    settings = Settings()
    assert settings.port == 1234
    assert settings.redis_url is not None
    assert settings.redis_url.get_secret_value() == "redis://user:sesame@host:1/0"
    assert "sesame" not in repr(settings)


def with_secrets(folder: Path) -> Settings:
    given: dict[str, Any] = {"_secrets_dir": folder}
    return Settings(**given)


def test_secrets_come_from_files_unless_the_environment_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "slimdial_redis_url").write_text("redis://user:sesame@host:1/0\n")
    settings = with_secrets(tmp_path)
    assert settings.redis_url is not None
    assert settings.redis_url.get_secret_value() == "redis://user:sesame@host:1/0"
    monkeypatch.setenv("SLIMDIAL_REDIS_URL", "unix:///elsewhere")
    settings = with_secrets(tmp_path)
    assert settings.redis_url is not None
    assert settings.redis_url.get_secret_value() == "unix:///elsewhere"


def test_where_there_are_no_secrets_there_is_no_warning(tmp_path: Path) -> None:
    assert with_secrets(tmp_path / "missing").redis_url is None


def test_the_command_line_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIMDIAL_PORT", "1234")
    assert Settings(port=99).port == 99


def test_workers_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    cores = usable_cores()
    assert Settings().threads == cores
    assert Settings(workers=2 * cores).threads == 1
    monkeypatch.setenv("SLIMDIAL_WORKERS", str(2 * cores))
    assert Settings().threads == 1
    assert Settings(threads=7).threads == 7


def test_a_gpu_cannot_be_required_of_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIMDIAL_REQUIRE_GPU", "1")
    assert Settings().require_gpu
    with pytest.raises(ValidationError, match="contradict"):
        Settings(device="cpu")


def test_all_bodies_have_room_for_one() -> None:
    assert Settings(max_body_bytes=1 << 20, max_total_body_bytes=1 << 20).max_body_bytes == 1 << 20
    with pytest.raises(ValidationError, match="max_total_body_bytes"):
        Settings(max_body_bytes=1 << 30)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WORKERS", "0"),
        ("MAX_BATCH", "0"),
        ("MAX_QUEUE", "-1"),
        ("REQUEST_TIMEOUT_S", "0"),
        ("BATCHING", "sometimes"),
        ("GPU_PRECISION", "int8"),
        ("PORT", "-1"),
        ("PORT", "web"),
        ("REDIS_URL", "http://host"),
        ("REDIS_URL", "redis://host:port/0"),
        ("MAX_PIXELS", "0"),
        ("SUBNET_TTL_S", "0"),
        ("DEVICE", "tpu"),
        ("THREADS", "0"),
    ],
)
def test_nonsense_is_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"SLIMDIAL_{name}", value)
    with pytest.raises(ValidationError):
        Settings()


def test_the_data_folder_is_the_platform_s_or_temporary(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_data_dir().is_relative_to(tmp_path)
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    assert not default_data_dir().is_relative_to(tmp_path)

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from model_store.cache_server import EmbeddedServer
from service.settings import Settings
from tests.service.process import Process, serving, shipped
from tests.service.running import Running, running


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def url(models_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service in a process of its own, for tests that leave it as it was."""
    data = tmp_path_factory.mktemp("data")
    with serving(["--models-root", str(models_root)], data) as process:
        yield process.url


@pytest.fixture(scope="session")
def shipped_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The same with the models that ship."""
    with shipped(tmp_path_factory.mktemp("data")) as url:
        yield url


@pytest.fixture(scope="session")
def battered(models_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """The same for tests that mean it ill: whatever they do, it goes on and logs no traceback."""
    data = tmp_path_factory.mktemp("data")
    with serving(["--models-root", str(models_root), "--log-level", "warning"], data) as process:
        yield process
    assert "Traceback" not in process.text


@pytest.fixture
def settings(models_root: Path, tmp_path: Path) -> Settings:
    return Settings(models_root=models_root, data_dir=tmp_path / "data", threads=2)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[EmbeddedServer]:
    """A Redis of its own, as in production."""
    server = EmbeddedServer(tmp_path / "redis")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def external(settings: Settings, redis: EmbeddedServer) -> Settings:
    return settings.model_copy(update={"redis_url": SecretStr(redis.url)})


@pytest.fixture
async def service(settings: Settings) -> AsyncIterator[Running]:
    async with running(settings) as service:
        yield service

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.settings import Settings
from tests.service.running import Running, running
from tests.tiny import publish_tiny


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def models_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    publish_tiny(root)
    return root


@pytest.fixture
def settings(models_root: Path, tmp_path: Path) -> Settings:
    return Settings(models_root=models_root, data_dir=tmp_path / "data", threads=2)


@pytest.fixture
async def service(settings: Settings) -> AsyncIterator[Running]:
    async with running(settings) as service:
        yield service

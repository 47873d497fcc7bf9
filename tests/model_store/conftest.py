from collections.abc import Iterator
from pathlib import Path

import pytest

from model_store.cache_server import EmbeddedServer
from model_store.published import ModelStore, PublishedModel
from tests.tiny import publish_tiny


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A Redis of its own for the tests of a module."""
    server = EmbeddedServer(tmp_path_factory.mktemp("valkey"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> PublishedModel:
    """The tiny published model, opened."""
    root: Path = tmp_path_factory.mktemp("models")
    publish_tiny(root)
    return ModelStore(root).open("tiny")


@pytest.fixture
def version(tmp_path: Path) -> Path:
    """The folder of a published tiny model that a test may spoil."""
    return publish_tiny(tmp_path)

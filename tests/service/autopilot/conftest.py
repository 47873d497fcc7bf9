from pathlib import Path

import pytest

from model_store.published import ModelStore, PublishedModel


@pytest.fixture(scope="session")
def tiny(models_root: Path) -> PublishedModel:
    return ModelStore(models_root).open("tiny")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"

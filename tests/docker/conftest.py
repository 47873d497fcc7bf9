from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker.stack import Stack, stack


@pytest.fixture(scope="session")
def observed(models_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A service that has worked, Valkey, and Prometheus, which watches both."""
    with stack(models_root, tmp_path_factory.mktemp("stack")) as running:
        yield running

"""The folder of a model is replaced, deleted or written to while it is served."""

import os
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from service.settings import Settings
from tests.service.running import Running, encoded, picture, running
from tests.tiny import publish_tiny

pytestmark = pytest.mark.anyio


@pytest.fixture
def root(tmp_path: Path) -> Path:
    publish_tiny(tmp_path / "root")
    return tmp_path / "root"


@pytest.fixture
async def served(settings: Settings, root: Path) -> AsyncIterator[Running]:
    async with running(settings.model_copy(update={"models_root": root})) as service:
        yield service


async def onnx(service: Running, share: float) -> bytes:
    dialled = await service.dial(share)
    return (await service.http.get(dialled["links"]["onnx"])).content


def deleted(root: Path) -> None:
    shutil.rmtree(root)


def another_version_is_published(root: Path) -> None:
    publish_tiny(root, version="2", seed=1)


def replaced_by_another(root: Path) -> None:
    """As a volume that is mounted anew, or a folder that is copied over by way of a rename."""
    root.rename(root.with_name("old"))
    publish_tiny(root, seed=1)


def files_replaced_one_by_one(root: Path) -> None:
    """As rsync and tar do: every file is another one under the same name."""
    other = publish_tiny(root.with_name("other"), seed=1)
    for file in other.iterdir():
        file.replace(root / "tiny" / "1" / file.name)


@pytest.mark.parametrize(
    "change",
    [deleted, another_version_is_published, replaced_by_another, files_replaced_one_by_one],
)
async def test_what_was_opened_is_served_until_the_end(
    served: Running, service: Running, root: Path, change: Callable[[Path], None]
) -> None:
    before = await onnx(served, 0.3)
    change(root)
    # The same file as from a service whose folder is left alone: cached, and newly built.
    for share in (0.3, 0.7):
        assert await onnx(served, share) == await onnx(service, share)
    assert await onnx(served, 0.3) == before
    assert (await served.http.get("/healthz")).json()["status"] == "ok"


def overwritten(weights: Path) -> None:
    with weights.open("r+b") as file:
        file.seek(1000)
        file.write(b"other weights")


def truncated(weights: Path) -> None:
    os.truncate(weights, 0)


@pytest.mark.parametrize("damage", [overwritten, truncated])
async def test_weights_that_are_written_to_make_no_network(
    served: Running, root: Path, damage: Callable[[Path], None]
) -> None:
    dialled = await served.dial(0.3)
    damage(root / "tiny" / "1" / "supernet.onnx.data")
    body = {"budget": {"gmacs": served.gmacs(0.7)}}
    refused = await served.http.post("/subnet", json=body)
    assert refused.status_code == 503
    assert "immutable" in refused.json()["error"]
    health = await served.http.get("/healthz")
    assert health.json()["status"] == "degraded"
    assert health.json()["refused_models"]["tiny"].startswith("supernet.onnx.data: ")
    assert str(root) not in health.text
    # What was built before is as good as ever.
    assert (await served.dial(0.3))["cache"] == "hit"
    predicted = await served.http.post(
        dialled["links"]["predict"],
        content=encoded(picture()),
        headers={"content-type": "image/png"},
    )
    assert predicted.status_code == 200

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from model_store.published import open_model
from model_store.subnetwork import Subnet, SubnetMetadata, SubnetRequest, build, choose
from service.metrics import Metrics
from service.providers import choose_device
from service.sessions import Held, Sessions, estimated_bytes

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def subnet(models_root: Path) -> Subnet:
    model = open_model(models_root / "tiny" / "1")
    return build(model, choose(model, SubnetRequest.of(model, 0.001, {})), threads=1)


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


def sessions(executor: ThreadPoolExecutor, subnet: Subnet, limit: int) -> Sessions:
    """A pool with room for ``limit`` sub-networks."""
    limit_bytes = limit * estimated_bytes(len(subnet.onnx))
    return Sessions(choose_device("cpu", 1), limit_bytes, executor, Metrics())


class Loader:
    """Counts how often a sub-network is fetched."""

    def __init__(self, subnet: Subnet) -> None:
        self.subnet = subnet
        self.loads = 0

    async def __call__(self) -> tuple[SubnetMetadata, bytes]:
        self.loads += 1
        await asyncio.sleep(0)
        return self.subnet.metadata, self.subnet.onnx


async def test_many_users_share_one_session(subnet: Subnet, executor: ThreadPoolExecutor) -> None:
    held = sessions(executor, subnet, limit=4)
    load = Loader(subnet)

    async def use() -> int:
        async with held.use("a", load) as session:
            return id(session.session)

    assert len(set(await asyncio.gather(*(use() for _ in range(20))))) == 1
    assert load.loads == 1
    assert held.bytes == estimated_bytes(len(subnet.onnx))


async def test_the_least_recently_used_is_closed(
    subnet: Subnet, executor: ThreadPoolExecutor
) -> None:
    held = sessions(executor, subnet, limit=2)
    load = Loader(subnet)
    for name in ("a", "b", "a", "c"):
        async with held.use(name, load):
            pass
    assert ("a" in held, "b" in held, "c" in held) == (True, False, True)
    assert load.loads == 3


async def test_a_session_larger_than_the_budget_is_held_while_it_is_used(
    subnet: Subnet, executor: ThreadPoolExecutor
) -> None:
    held = sessions(executor, subnet, limit=0)
    async with held.use("a", Loader(subnet)):
        assert len(held) == 1
    assert len(held) == held.bytes == 0


async def test_a_session_in_use_is_never_closed(
    subnet: Subnet, executor: ThreadPoolExecutor
) -> None:
    held = sessions(executor, subnet, limit=1)
    load = Loader(subnet)
    async with held.use("a", load) as first:
        async with held.use("b", load) as second:
            assert ("a" in held, "b" in held) == (True, True)
        # Back within the budget as soon as somebody leaves: the one that nobody uses goes.
        assert ("a" in held, "b" in held) == (True, False)
        assert first.session.get_inputs()[0].name == "image"
    executor.shutdown()
    assert hasattr(first, "session")
    assert not hasattr(second, "session")


async def test_a_session_that_is_waited_for_is_not_driven_out_by_another(
    subnet: Subnet, executor: ThreadPoolExecutor
) -> None:
    held = sessions(executor, subnet, limit=1)
    load = Loader(subnet)

    async def use(name: str) -> None:
        async with held.use(name, load):
            await asyncio.sleep(0)

    # As many sub-networks at once as make the pool too small many times over: each is loaded once.
    await asyncio.gather(*(use(name) for name in "abcdefgh" for _ in range(3)))
    assert load.loads == 8
    assert len(held) == 1


async def test_predictions_go_on_while_another_subnetwork_is_loaded(
    subnet: Subnet, executor: ThreadPoolExecutor
) -> None:
    held = sessions(executor, subnet, limit=2)
    load = Loader(subnet)
    arrived = asyncio.Event()

    async def never() -> tuple[SubnetMetadata, bytes]:
        await arrived.wait()
        return subnet.metadata, subnet.onnx

    async def slow() -> None:
        async with held.use("slow", never):
            pass

    waiting = asyncio.create_task(slow())
    async with held.use("a", load) as first:
        assert first.metadata == subnet.metadata
    assert not waiting.done()
    arrived.set()
    await waiting


async def test_a_session_that_nobody_waits_for_is_not_begun_and_is_finished_if_it_was(
    subnet: Subnet, executor: ThreadPoolExecutor
) -> None:
    held = sessions(executor, subnet, limit=4)
    loading, free = asyncio.Event(), threading.Event()

    async def never() -> tuple[SubnetMetadata, bytes]:
        loading.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def leave(user: asyncio.Task[Held]) -> None:
        user.cancel()
        with pytest.raises(asyncio.CancelledError):
            await user

    user = asyncio.create_task(held.hold("a", never))
    await loading.wait()
    await leave(user)
    async with held.use("a", Loader(subnet)) as first:  # it does not wait for the other load
        assert first.metadata == subnet.metadata

    for _ in range(2):
        executor.submit(free.wait, 60)
    user = asyncio.create_task(held.hold("b", Loader(subnet)))
    while not held._openings:
        await asyncio.sleep(0)
    await leave(user)

    async def late() -> tuple[SubnetMetadata, bytes]:
        free.set()
        while held._openings:
            await asyncio.sleep(0)
        return subnet.metadata, subnet.onnx

    async with held.use("b", late):
        assert held.bytes == 2 * estimated_bytes(len(subnet.onnx))


async def test_a_failed_load_is_told_and_tried_again(
    subnet: Subnet, executor: ThreadPoolExecutor
) -> None:
    held = sessions(executor, subnet, limit=1)

    async def fail() -> tuple[SubnetMetadata, bytes]:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        async with held.use("a", fail):
            pass
    async with held.use("a", Loader(subnet)) as session:
        assert session.metadata == subnet.metadata


async def test_what_is_discarded_is_closed_when_nobody_uses_it(
    subnet: Subnet, executor: ThreadPoolExecutor
) -> None:
    held = sessions(executor, subnet, limit=4)
    load = Loader(subnet)
    for name in ("a", "b"):
        async with held.use(name, load):
            pass
    assert held.held() == {"a": subnet.metadata, "b": subnet.metadata}
    async with held.use("a", load):
        held.discard(["a", "b", "never there"])
        assert list(held.held()) == ["a"]
        async with held.use("b", load):
            pass
        assert list(held.held()) == ["a", "b"]
    assert list(held.held()) == ["b"]
    assert held.bytes == estimated_bytes(len(subnet.onnx))


async def test_what_is_wanted_again_is_not_closed(
    subnet: Subnet, executor: ThreadPoolExecutor
) -> None:
    held = sessions(executor, subnet, limit=4)
    load = Loader(subnet)
    async with held.use("a", load):
        held.discard(["a"])
        async with held.use("a", load):
            pass
    assert "a" in held
    assert load.loads == 1

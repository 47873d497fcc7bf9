"""What becomes of entries when Redis hangs, refuses, or is not what it seems."""

import asyncio
import contextlib
import gc
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TypeGuard

import pytest
from redis.asyncio import Redis

from model_store.cache import CacheLimits, SubnetCache
from model_store.cache_memory import MemoryEntries
from model_store.cache_redis import Entries, connect
from model_store.cache_server import EmbeddedServer
from model_store.subnetwork import Subnet
from tests.model_store.cached import ONE, Counted, subnet
from tests.model_store.impostor import NONSENSE, Answer, impostor

pytestmark = pytest.mark.anyio


@contextlib.asynccontextmanager
async def entries_of(url: str, timeout_s: float = 2.0) -> AsyncIterator[Entries]:
    entries = Entries(connect(url, timeout_s), MemoryEntries(1 << 20), 100.0)
    yield entries
    await entries.close()


@pytest.fixture
async def entries(shared: EmbeddedServer) -> AsyncIterator[Entries]:
    async with entries_of(shared.url) as entries:
        assert await entries.probe()
        await entries.redis.flushall()
        yield entries


@contextlib.asynccontextmanager
async def full(redis: Redis) -> AsyncIterator[None]:
    """Redis has no room for more and may not make any."""
    await redis.config_set("maxmemory-policy", "noeviction")
    await redis.config_set("maxmemory", 1)
    try:
        yield
    finally:
        await redis.config_set("maxmemory", 0)


@contextlib.asynccontextmanager
async def read_only(redis: Redis) -> AsyncIterator[None]:
    """Redis is a replica, as after a failover that clients did not follow."""
    await redis.replicaof("127.0.0.1", "1")
    try:
        yield
    finally:
        await redis.replicaof("NO", "ONE")


Refusing = Callable[[Redis], contextlib.AbstractAsyncContextManager[None]]
REFUSING = pytest.mark.parametrize("refusing", [full, read_only])


@REFUSING
async def test_what_redis_refuses_is_in_memory_and_handed_over_when_it_takes_it(
    entries: Entries, refusing: Refusing, caplog: pytest.LogCaptureFixture
) -> None:
    async with refusing(entries.redis):
        for key in ("a", "b"):
            assert not await entries.put(key, key.encode(), 100)
            assert await entries.get(key) == key.encode()
            assert await entries.size(key) == 1
        assert await entries.probe()
        assert entries.up
        assert entries.refused
        assert caplog.text.count("refuses") == 1  # said once, however often
    assert await entries.probe()
    assert entries.refused is None
    assert await entries.redis.get("a") == b"a"
    assert 0 < await entries.redis.ttl("b") <= 100
    assert not entries.memory.unsaved()


async def test_a_refusal_is_over_when_nothing_is_kept_for_redis(entries: Entries) -> None:
    async with full(entries.redis):
        assert not await entries.put("key", bytes(2 << 20), 100)  # more than memory holds
        assert entries.refused
        assert await entries.probe()
        assert entries.refused is None


async def test_a_corrupt_entry_that_cannot_be_dropped_is_not_read_again(entries: Entries) -> None:
    await entries.redis.set("key", "corrupt")
    async with read_only(entries.redis):
        assert await entries.get("key") == b"corrupt"
        await entries.drop("key")
        assert not await entries.put("key", b"made anew", 100)
        assert await entries.get("key") == b"made anew"
        assert await entries.size("key") == len(b"made anew")
    assert await entries.probe()
    assert await entries.redis.get("key") == b"made anew"


async def test_a_user_who_may_only_read_reads(entries: Entries, shared: EmbeddedServer) -> None:
    await entries.redis.acl_setuser(
        "reader", enabled=True, passwords=["+sesame"], keys=["*"], categories=["+@read"]
    )
    await entries.redis.set("key", "value")
    url = f"unix://reader:sesame@{shared.socket_path}"
    async with entries_of(url) as reader:
        # Not even asking whether it is there is allowed; the answer says who did not allow it.
        assert not await reader.probe()
        assert "ping" in reader.reason
        await entries.redis.acl_setuser("reader", commands=["+ping"])
        assert await reader.probe()
        assert await reader.get("key") == b"value"
        assert not await reader.put("key", b"other", 100)
        assert reader.refused
        assert "sesame" not in reader.refused + reader.reason


async def test_a_redis_that_hangs_is_waited_for_once(tmp_path: Path) -> None:
    asked = 0

    async def silence(_: bytes) -> bytes:
        nonlocal asked
        asked += 1
        await asyncio.sleep(60)
        return b""

    socket = tmp_path / "socket"
    async with impostor(socket, silence) as url, entries_of(url, timeout_s=0.05) as entries:
        entries.memory.put("key", b"value", saved=True)
        entries.up = True
        assert await asyncio.gather(*(entries.get("key") for _ in range(99))) == 99 * [b"value"]
        assert not entries.up
        assert "Timeout" in entries.reason
        before = asked
        assert before < 99  # those that waited for a connection no longer did
        assert await entries.get("key") == b"value"
        assert not await entries.put("key", b"other", 100)
        assert await entries.size("key") == 5
        assert asked == before


async def test_a_call_that_is_cancelled_ends_however_far_it_has_come(entries: Entries) -> None:
    for turns in range(20):  # connected, it has sent its command after three or four
        assert await entries.probe()
        call = asyncio.create_task(entries.get("key"))
        for _ in range(turns):
            await asyncio.sleep(0)
        if call.cancel():
            with pytest.raises(asyncio.CancelledError):
                await call
    assert entries.up


async def test_calls_beyond_the_connections_wait_for_their_turn(entries: Entries) -> None:
    await entries.redis.set("key", "value")
    assert await asyncio.gather(*(entries.get("key") for _ in range(200))) == 200 * [b"value"]
    assert entries.up


async def test_redis_is_left_when_the_calls_under_way_have_ended(shared: EmbeddedServer) -> None:
    """Whoever waits for a turn then goes on without it."""
    async with entries_of(shared.url) as entries:
        assert await entries.probe()
        entries.memory.put("key", b"kept", saved=True)
        order: list[str] = []
        let_go = asyncio.Event()

        async def command() -> bytes:
            await let_go.wait()
            order.append("called")
            return b"value"

        def call() -> asyncio.Task[bytes]:
            return asyncio.create_task(entries.call(command, is_bytes))

        under_way = [call() for _ in range(32)]
        await asyncio.sleep(0)
        late = asyncio.create_task(entries.get("key"))
        await asyncio.sleep(0)
        leaving = asyncio.create_task(entries.close())
        leaving.add_done_callback(lambda _: order.append("left"))
        await asyncio.sleep(0)
        let_go.set()
        assert await asyncio.gather(*under_way) == 32 * [b"value"]
        await leaving
        assert order == [*(32 * ["called"]), "left"]
        assert await late == b"kept"
        assert not entries.up


def is_bytes(answer: object) -> TypeGuard[bytes]:
    return isinstance(answer, bytes)


@pytest.fixture
def collected() -> Iterator[None]:
    """Where its parser gives up, redis-py leaves its socket to the garbage collector."""
    gc.freeze()  # so that there is little to collect
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        yield
        gc.collect()
    gc.unfreeze()


@pytest.mark.usefixtures("collected")
@pytest.mark.parametrize("answer", NONSENSE.values(), ids=NONSENSE)
async def test_nonsense_is_no_answer(tmp_path: Path, answer: Answer) -> None:
    socket = tmp_path / "socket"
    async with impostor(socket, answer) as url, entries_of(url, timeout_s=0.05) as entries:
        assert not await entries.probe()
        assert entries.reason != "not connected yet"
        entries.memory.put("key", b"value", saved=True)
        entries.up = True  # as if it had made sense until now
        # Other bytes are told from the value by its digest, which is for others to check.
        assert await entries.get("key") in (b"value", b"other", b"", None)
        entries.up = True
        assert isinstance(await entries.size("key"), int)
        entries.up = True
        assert not await entries.put("key", b"value", 100)
        assert await entries.get("key") == b"value"

        # It neither holds up a build nor loses what was built.
        limits = CacheLimits(lease_s=0.1, longest_build_s=0.1)
        cache = SubnetCache(entries, limits, Counted())
        entries.up = True
        stored, here = await cache.build_once(ONE, build)
        assert here
        assert await cache.find(ONE) == stored
        assert await cache.onnx(stored) == b"weights"


async def build() -> Subnet:
    return subnet()


async def test_a_lock_that_does_not_expire_is_nobody_s(entries: Entries) -> None:
    await entries.redis.set(f"slimdial:1:lock:{ONE}", 1)
    cache = SubnetCache(entries, CacheLimits(lease_s=0.05, longest_build_s=0.05), Counted())
    _, here = await cache.build_once(ONE, build)
    assert here

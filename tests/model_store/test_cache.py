import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from model_store.cache import CacheLimits, SubnetCache
from model_store.cache_memory import MemoryEntries
from model_store.cache_redis import SMALL_BYTES, Entries, connect
from model_store.cache_server import EmbeddedServer
from model_store.subnetwork import Subnet
from tests.model_store.cached import ONE, TWO, Counted, subnet

REQUEST = "a" * 64
pytestmark = pytest.mark.anyio


@contextlib.asynccontextmanager
async def replica(
    server: EmbeddedServer, limits: CacheLimits | None = None, memory_bytes: int = 1 << 20
) -> AsyncIterator[SubnetCache]:
    """The cache as one service process has it."""
    redis = connect(server.url)
    counted = Counted()
    entries = Entries(redis, MemoryEntries(memory_bytes), 100.0)
    cache = SubnetCache(entries, limits or CacheLimits(), counted)
    await entries.probe()
    yield cache
    await redis.aclose()


@pytest.fixture
async def cache(shared: EmbeddedServer) -> AsyncIterator[SubnetCache]:
    async with replica(shared) as cache:
        await cache.entries.redis.flushall()
        yield cache


def counted(cache: SubnetCache) -> dict[str, int]:
    assert isinstance(cache._count, Counted)
    return {" ".join(key): n for key, n in cache._count.found.items()}


async def build() -> Subnet:
    return subnet()


async def never() -> Subnet:
    raise AssertionError("it was there already")


async def test_both_levels_answer_what_was_put_in(cache: SubnetCache) -> None:
    assert await cache.subnet_of(REQUEST) is None
    assert await cache.find(ONE) is None
    await cache.link(REQUEST, ONE)
    stored, here = await cache.build_once(ONE, build)
    assert here
    assert await cache.subnet_of(REQUEST) == ONE
    assert await cache.find(ONE) == stored
    assert await cache.onnx(stored) == b"weights"
    assert counted(cache) == {
        "request miss": 1,
        "request hit": 1,
        "subnet miss": 1,
        "subnet hit": 2,
    }


async def test_every_key_has_a_time_to_live_but_the_token_counter(cache: SubnetCache) -> None:
    await cache.link(REQUEST, ONE)
    await cache.build_once(ONE, build)
    keys = await cache.entries.redis.keys("*")
    lives = {key: await cache.entries.redis.ttl(key) for key in keys}
    assert lives.pop(b"slimdial:1:tokens") == -1
    assert len(lives) == 3
    assert all(0 < life <= 86_400 for life in lives.values())


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty", "list", "swap"])
@pytest.mark.parametrize("kind", ["request", "subnet", "onnx"])
async def test_a_corrupt_entry_is_a_miss_counted_and_written_anew(
    cache: SubnetCache, kind: str, damage: str
) -> None:
    redis = cache.entries.redis
    for subnet_id, request in ((ONE, REQUEST), (TWO, "b" * 64)):
        made = subnet(subnet_id, subnet_id.encode() * 5)
        await cache.link(request, subnet_id)

        async def work(made: Subnet = made) -> Subnet:
            return made

        await cache.build_once(subnet_id, work)
    names = {
        "request": (REQUEST, "b" * 64),
        "subnet": (ONE, TWO),
        "onnx": tuple(hashlib.sha256(i.encode() * 5).hexdigest() for i in (ONE, TWO)),
    }
    key, another = (f"slimdial:1:{kind}:{name}" for name in names[kind])
    value = await redis.get(key)
    assert isinstance(value, bytes)
    other = await redis.get(another)
    assert isinstance(other, bytes)
    await redis.delete(key)
    if damage == "list":
        await redis.rpush(key, "what is this?")
    else:
        damaged = {
            "flip": value[:-1] + bytes([value[-1] ^ 1]),
            "truncate": value[:-3],
            "empty": b"",
            "swap": other,
        }
        await redis.set(key, damaged[damage], ex=100)

    async def lookup() -> object:
        if kind == "request":
            return await cache.subnet_of(REQUEST)
        stored = await cache.find(ONE)
        return stored and await cache.onnx(stored)

    assert await lookup() is None
    found = counted(cache)
    noticed = found.get(f"{'request' if kind == 'request' else 'subnet'} corrupt", 0)
    # An ONNX file of another length is noticed without being read, as one that is not there.
    assert noticed == (0 if kind == "onnx" and damage in ("truncate", "empty", "list") else 1)
    await cache.link(REQUEST, ONE)
    if kind != "request":
        _, here = await cache.build_once(ONE, build)
        assert here
    assert await lookup() in (ONE, b"weights")


async def test_an_answer_is_found_again_and_counted_on_both_levels(cache: SubnetCache) -> None:
    assert await cache.answered(REQUEST) == (None, None)
    await cache.link(REQUEST, ONE)
    assert await cache.answered(REQUEST) == (ONE, None)
    stored, _ = await cache.build_once(ONE, build)
    for _ in range(3):
        assert await cache.answered(REQUEST) == (ONE, stored)
    assert counted(cache) == {
        "request miss": 1,
        "request hit": 4,
        "subnet miss": 1,
        "subnet hit": 3,
    }


@pytest.mark.parametrize("damage", ["gone", "cut", "list"])
@pytest.mark.parametrize("kind", ["request", "subnet", "onnx"])
async def test_an_answer_that_is_known_here_is_checked_nevertheless(
    cache: SubnetCache, kind: str, damage: str
) -> None:
    await cache.link(REQUEST, ONE)
    stored, _ = await cache.build_once(ONE, build)
    assert await cache.answered(REQUEST) == (ONE, stored)
    redis = cache.entries.redis
    names = {"request": REQUEST, "subnet": ONE, "onnx": stored.sha256}
    key = f"slimdial:1:{kind}:{names[kind]}"
    value = await redis.getdel(key)
    assert isinstance(value, bytes)
    if damage == "cut":
        await redis.set(key, value[:-1])
    elif damage == "list":
        await redis.rpush(key, "what is this?")
    assert await cache.answered(REQUEST) == (None if kind == "request" else ONE, None)


async def test_an_answer_that_changed_elsewhere_is_seen_here(cache: SubnetCache) -> None:
    await cache.link(REQUEST, ONE)
    stored, _ = await cache.build_once(ONE, build)
    assert await cache.answered(REQUEST) == (ONE, stored)
    await cache.link(REQUEST, TWO)
    assert await cache.answered(REQUEST) == (TWO, None)


async def test_an_answer_is_known_where_redis_is_away(shared: EmbeddedServer) -> None:
    async with replica(shared) as cache:
        await cache.link(REQUEST, ONE)
        await cache.entries.redis.flushall()
        cache.entries.up = False
        stored, _ = await cache.build_once(ONE, build)
        for _ in range(2):
            assert await cache.answered(REQUEST) == (ONE, stored)


async def test_files_are_read_one_after_the_other_and_once_for_all_who_ask_at_a_time(
    cache: SubnetCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> Subnet:
        return subnet(TWO, b"other weights")

    one, _ = await cache.build_once(ONE, build)
    two, _ = await cache.build_once(TWO, work)
    get, reading, read = cache.entries.get, 0, []

    async def watched(key: str) -> bytes | None:
        nonlocal reading
        reading += 1
        assert reading == 1
        read.append(key.rpartition(":")[2])
        content = await get(key)
        reading -= 1
        return content

    monkeypatch.setattr(cache.entries, "get", watched)
    found = await asyncio.gather(*(cache.onnx(stored) for stored in 20 * [one, two]))
    assert found == 20 * [b"weights", b"other weights"]
    assert read == [one.sha256, two.sha256]


async def test_equal_builds_at_the_same_time_are_one(cache: SubnetCache) -> None:
    builds = 0

    async def slow() -> Subnet:
        nonlocal builds
        builds += 1
        await asyncio.sleep(0)
        return subnet()

    found = await asyncio.gather(*(cache.build_once(ONE, slow) for _ in range(20)))
    assert builds == 1
    assert len({s.sha256 for s, _ in found}) == 1


async def test_one_replica_builds_and_the_others_wait_for_it(
    cache: SubnetCache, shared: EmbeddedServer
) -> None:
    building, gate = asyncio.Event(), asyncio.Event()

    async def slow() -> Subnet:
        building.set()
        await gate.wait()
        return subnet()

    async with replica(shared) as second, replica(shared) as third:
        first = asyncio.create_task(cache.build_once(ONE, slow))
        await building.wait()
        others = [asyncio.create_task(c.build_once(ONE, never)) for c in (second, third)]
        await asyncio.sleep(0)
        gate.set()
        stored, here = await first
        assert here
        assert await asyncio.gather(*others) == [(stored, False)] * 2


async def test_a_failed_build_frees_the_lock(cache: SubnetCache, shared: EmbeddedServer) -> None:
    async def fail() -> Subnet:
        raise MemoryError

    with pytest.raises(MemoryError):
        await cache.build_once(ONE, fail)
    async with replica(shared) as second:
        _, here = await second.build_once(ONE, build)
        assert here


async def test_a_dead_holder_blocks_no_longer_than_its_lease(cache: SubnetCache) -> None:
    # What a process leaves behind that was killed while building: a lock that nobody renews.
    await cache.entries.redis.set(f"slimdial:1:lock:{ONE}", 1, px=100)
    _, here = await cache.build_once(ONE, build)
    assert here


async def test_a_living_holder_keeps_the_lock_beyond_its_lease(
    cache: SubnetCache, shared: EmbeddedServer
) -> None:
    limits = CacheLimits(lease_s=0.3)
    lock = f"slimdial:1:lock:{ONE}"
    async with replica(shared, limits) as holder:
        gate, building = asyncio.Event(), asyncio.Event()

        async def slow() -> Subnet:
            building.set()
            await gate.wait()
            return subnet()

        task = asyncio.create_task(holder.build_once(ONE, slow))
        await building.wait()
        token = await cache.entries.redis.get(lock)
        # Two leases, counted on the clock of the server that expires them.
        start = await now_ms(cache)
        while await now_ms(cache) < start + 600:
            await asyncio.sleep(0.005)
        assert await cache.entries.redis.get(lock) == token
        gate.set()
        await task
        assert await cache.entries.redis.get(lock) is None


async def now_ms(cache: SubnetCache) -> int:
    seconds, microseconds = await cache.entries.redis.time()
    return int(seconds * 1000 + microseconds // 1000)


async def test_a_holder_that_lost_its_lock_cannot_overwrite_its_successor(
    cache: SubnetCache, shared: EmbeddedServer
) -> None:
    async with replica(shared) as second:

        async def paused() -> Subnet:
            # As if the process had been stopped for longer than the lease.
            await cache.entries.redis.delete(f"slimdial:1:lock:{ONE}")
            await second.build_once(ONE, successor)
            return subnet(onnx=b"late")

        async def successor() -> Subnet:
            return subnet(onnx=b"first")

        stored, _ = await cache.build_once(ONE, paused)
        assert await cache.onnx(stored) == b"first"


async def test_a_lost_token_counter_blocks_nothing(cache: SubnetCache) -> None:
    stored, _ = await cache.build_once(ONE, build)
    await cache.entries.redis.delete("slimdial:1:tokens", f"slimdial:1:onnx:{stored.sha256}")

    async def again() -> Subnet:
        return subnet(onnx=b"new weights")

    stored, _ = await cache.build_once(ONE, again)
    assert await cache.onnx(stored) == b"new weights"


async def test_without_redis_memory_serves_and_hands_over_when_it_returns(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path)
    large = bytes(2 * SMALL_BYTES)

    async def build_large() -> Subnet:
        return subnet(TWO, large)

    async with replica(server) as cache:  # not started yet
        assert not cache.entries.up
        await cache.link(REQUEST, TWO)
        stored, here = await cache.build_once(TWO, build_large)
        assert here
        assert await cache.subnet_of(REQUEST) == TWO
        assert await cache.find(TWO) == stored
        assert await cache.onnx(stored) == large
        assert len(cache.memory) == 3
        server.start()
        assert await cache.entries.probe()
        async with replica(server) as second:
            assert await second.subnet_of(REQUEST) == TWO
            assert await second.onnx(stored) == large
        # The weights are in Redis now; of what is small a copy stays.
        assert len(cache.memory) == 2
        server.stop()
        assert await cache.subnet_of(REQUEST) == TWO
        assert await cache.described(TWO) == stored
        assert await cache.find(TWO) is None
        _, here = await cache.build_once(TWO, build_large)
        assert here


async def test_an_entry_that_redis_refuses_is_kept_in_memory(cache: SubnetCache) -> None:
    redis = cache.entries.redis
    await redis.config_set("maxmemory-policy", "noeviction")
    await redis.config_set("maxmemory", 1)
    try:
        stored, _ = await cache.build_once(ONE, build)
        await cache.link(REQUEST, ONE)
        assert cache.entries.up
        assert await cache.subnet_of(REQUEST) == ONE
        assert await cache.onnx(stored) == b"weights"
    finally:
        await redis.config_set("maxmemory", 0)


@pytest.mark.parametrize("subnet_id", ["", "x" * 32, "../../etc", "1" * 65, "1\n" * 20])
async def test_what_is_no_id_is_not_looked_up(cache: SubnetCache, subnet_id: str) -> None:
    assert await cache.find(subnet_id) is None
    assert counted(cache) == {}


async def test_the_url_of_redis_is_not_in_what_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    redis = connect("redis://user:sesame@127.0.0.1:1/0")
    entries = Entries(redis, MemoryEntries(0), 1.0)
    entries.up = True
    assert await entries.get("key") is None
    assert not entries.up
    assert "unreachable" in caplog.text
    assert "sesame" not in caplog.text + entries.reason
    await redis.aclose()

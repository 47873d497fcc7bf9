"""Redis hangs, is full, may only be read, or is something else: no request notices."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from redis import Redis

from model_store.cache_server import EmbeddedServer
from service.settings import Settings
from tests.model_store.impostor import NONSENSE, impostor
from tests.model_store.test_cache_server import paused
from tests.service.process import Process, serving
from tests.service.running import Running, encoded, picture, running

pytestmark = pytest.mark.anyio


@contextlib.contextmanager
def full(server: EmbeddedServer) -> Iterator[None]:
    with Redis.from_url(server.url) as redis:
        redis.config_set("maxmemory-policy", "noeviction")
        redis.config_set("maxmemory", 1)
        yield
        redis.config_set("maxmemory", 0)


@contextlib.contextmanager
def read_only(server: EmbeddedServer) -> Iterator[None]:
    with Redis.from_url(server.url) as redis:
        redis.replicaof("127.0.0.1", "1")
        yield
        redis.replicaof("NO", "ONE")


async def answers(service: Running, subnet_id: str) -> bytes:
    """What a prediction says, but for its times."""
    response = await service.http.post(
        "/predict",
        params={"subnet_id": subnet_id},
        content=encoded(picture()),
        headers={"content-type": "image/png", "accept": "application/x-npz"},
    )
    assert response.status_code == 200, response.text
    return response.content


@pytest.mark.parametrize("fault", [paused, full, read_only])
async def test_a_fault_of_redis_is_told_and_no_request_notices(
    external: Settings,
    redis: EmbeddedServer,
    fault: Callable[[EmbeddedServer], contextlib.AbstractContextManager[object]],
) -> None:
    async with running(external) as service:
        before = await service.dial(0.5)
        predicted = await answers(service, before["subnet_id"])
        with fault(redis):
            assert (await service.dial(0.5))["subnet_id"] == before["subnet_id"]
            new = await service.dial(0.2)
            assert (new["cache"], (await service.dial(0.2))["cache"]) == ("miss", "hit")
            assert await answers(service, before["subnet_id"]) == predicted
            await answers(service, new["subnet_id"])
            onnx = (await service.http.get(new["links"]["onnx"])).content

            assert (await service.http.get("/readyz")).status_code == 200
            health = (await service.http.get("/healthz")).json()
            assert health["status"] == "degraded"
            assert health["redis"]["writable"] is False
            assert health["redis"]["reason"]
            assert await service.metric("slimdial_redis_writable") == 0
            assert await service.metric("slimdial_redis_up") == (fault is not paused)
        assert await service.runtime.probe()
        assert (await service.http.get("/healthz")).json()["status"] == "ok"
        assert await service.metric("slimdial_redis_writable") == 1
        # What was built meanwhile is there for the others.
        async with running(external) as replica:
            assert (await replica.dial(0.2))["cache"] == "hit"
            assert (await replica.http.get(new["links"]["onnx"])).content == onnx


async def test_what_is_not_redis_is_not_believed(
    external: Settings, redis: EmbeddedServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(external) as service:
        entries = service.runtime.cache.entries
        before = await service.dial(0.5)
        predicted = await answers(service, before["subnet_id"])
        redis.stop()
        for number, name in enumerate(
            ("text", "lists in lists", "an integer", "a list", "an error")
        ):
            async with impostor(redis.socket_path, NONSENSE[name]):
                entries.up = True
                assert (await service.dial(0.5))["subnet_id"] == before["subnet_id"]
                entries.up = True
                await service.dial(0.1 * number)
                assert await answers(service, before["subnet_id"]) == predicted
                assert not await service.runtime.probe()
                assert (await service.http.get("/healthz")).json()["status"] == "degraded"
            redis.socket_path.unlink()
        assert "Traceback" not in caplog.text
        redis.start()
        assert await service.runtime.probe()
        assert (await service.dial(0.5))["subnet_id"] == before["subnet_id"]


async def test_a_replica_that_is_killed_while_it_builds_holds_up_nobody_for_longer_than_its_lease(
    external: Settings, redis: EmbeddedServer, models_root: Path, tmp_path: Path
) -> None:
    arguments = ["--models-root", str(models_root), "--redis-url", redis.url]
    async with running(external) as survivor:
        known = await survivor.dial(0.9)
        with serving(arguments, tmp_path / "victim") as victim, Redis.from_url(redis.url) as keys:
            share = stopped_while_building(victim, survivor, keys)
            (lock,) = keys.keys(LOCKS)
            assert 0 < keys.pttl(lock) <= 5000
            victim.popen.kill()
            # Nothing else waits, and the build is done as soon as the lease is over.
            await answers(survivor, known["subnet_id"])
            assert keys.exists(lock)
            built = await survivor.dial(share)
            assert built["cache"] == "miss"
            assert built["timings_ms"]["extract"] > 0


LOCKS = "slimdial:1:lock:*"


def stopped_while_building(victim: Process, other: Running, keys: Redis) -> float:
    """Dials until the victim could be stopped with the lock in its hands; returns the share."""

    def ask(share: float) -> None:
        with contextlib.suppress(httpx.TransportError):  # it will be killed
            body = {"budget": {"gmacs": other.gmacs(share)}}
            httpx.post(f"{victim.url}/subnet", json=body, timeout=60)

    for share in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6):
        asking = threading.Thread(target=ask, args=(share,), daemon=True)
        asking.start()
        while asking.is_alive() and not keys.keys(LOCKS):
            pass
        victim.popen.send_signal(signal.SIGSTOP)
        if keys.keys(LOCKS):
            return share
        victim.popen.send_signal(signal.SIGCONT)
    raise AssertionError("every build was over before it could be interrupted")

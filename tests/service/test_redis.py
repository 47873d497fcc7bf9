"""What happens to the service when Redis comes and goes."""

import asyncio
from pathlib import Path

import pytest

from model_store.cache_server import EmbeddedServer
from service.settings import Settings
from tests.model_store.test_cache_server import kill
from tests.service.running import Running, encoded, picture, running

pytestmark = pytest.mark.anyio


async def health(service: Running) -> dict[str, object]:
    response = await service.http.get("/healthz")
    assert response.status_code == 200
    found: dict[str, object] = response.json()
    return found


async def predicts(service: Running, subnet_id: str) -> None:
    response = await service.http.post(
        "/predict",
        params={"subnet_id": subnet_id},
        content=encoded(picture()),
        headers={"content-type": "image/png"},
    )
    assert response.status_code == 200, response.text


async def test_the_service_goes_on_without_redis_and_finds_it_again(
    external: Settings, redis: EmbeddedServer
) -> None:
    async with running(external) as service:
        before = await service.dial(0.5)
        assert await service.metric("slimdial_redis_up") == 1
        kill(redis)

        # What was dialled before, and what was not: everything is answered.
        lost = await service.dial(0.5)
        assert lost["subnet_id"] == before["subnet_id"]
        new = await service.dial(0.2)
        assert (await service.dial(0.2))["cache"] == "hit"
        for answer in (lost, new):
            assert (await service.http.get(answer["links"]["self"])).status_code == 200
            assert (await service.http.get(answer["links"]["onnx"])).status_code == 200
            await predicts(service, answer["subnet_id"])
        found = await health(service)
        assert found["status"] == "degraded"
        assert found["redis"] == {
            "up": False,
            "embedded": False,
            "writable": False,
            "reason": service.runtime.cache.entries.reason,
        }
        assert "valkey.sock" in found["redis"]["reason"]
        assert str(redis.folder) not in found["redis"]["reason"]
        assert await service.metric("slimdial_redis_up") == 0
        assert await service.metric("slimdial_memory_cache_entries") > 0
        assert (await service.http.get("/readyz")).status_code == 200

        redis.ensure()
        assert await service.runtime.probe()
        assert (await health(service))["status"] == "ok"
        async with running(external) as replica:
            assert (await replica.dial(0.2))["cache"] == "hit"
            await predicts(replica, new["subnet_id"])


async def test_without_redis_and_without_room_in_memory_a_prediction_says_so(
    external: Settings, redis: EmbeddedServer
) -> None:
    redis.stop()
    async with running(external.model_copy(update={"memory_bytes": 0})) as service:
        assert (await service.dial())["cache"] == "miss"
        response = await service.http.post(
            "/predict",
            params={"budget": str(service.gmacs(0.5))},
            content=encoded(picture()),
            headers={"content-type": "image/png"},
        )
        assert response.status_code == 404
        assert "the cache has no room for it" in response.json()["error"]


async def test_the_service_starts_without_redis(external: Settings, redis: EmbeddedServer) -> None:
    redis.stop()
    async with running(external) as service:
        assert (await service.dial())["cache"] == "miss"
        assert (await service.dial())["cache"] == "hit"
        assert (await health(service))["status"] == "degraded"


async def test_an_embedded_server_that_dies_is_started_again(settings: Settings) -> None:
    async with running(settings) as service:
        await service.dial()
        assert service.runtime.embedded is not None
        kill(service.runtime.embedded)
        assert (await service.dial())["cache"] == "miss"
        assert await service.runtime.probe()
        assert service.runtime.cache.entries.up
        # What memory held is in the new server.
        assert (await service.dial())["cache"] == "hit"


async def test_replicas_give_the_same_id_and_share_one_extraction(external: Settings) -> None:
    async with running(external) as one, running(external) as two:
        dials = [s.dial(0.5) for _ in range(5) for s in (one, two)]
        answers = await asyncio.gather(*dials)
        assert len({a["subnet_id"] for a in answers}) == 1
        name = "slimdial_extract_duration_seconds_count"
        assert await one.metric(name) + await two.metric(name) == 1


async def test_replicas_without_a_common_redis_give_the_same_id(
    settings: Settings, tmp_path: Path
) -> None:
    elsewhere = settings.model_copy(update={"data_dir": tmp_path / "elsewhere"})
    async with running(settings) as one, running(elsewhere) as two:
        first, second = await one.dial(0.5), await two.dial(0.5)
        assert first["subnet_id"] == second["subnet_id"]
        assert (first["cache"], second["cache"]) == ("miss", "miss")


async def test_services_may_share_a_data_folder(settings: Settings) -> None:
    async with running(settings) as one:
        async with running(settings) as two:
            await two.dial()
        assert (await one.dial())["cache"] == "hit"


async def test_the_cache_outlives_a_restart(settings: Settings) -> None:
    async with running(settings) as service:
        dialled = await service.dial()
    async with running(settings) as service:
        assert (await service.dial())["cache"] == "hit"
        await predicts(service, dialled["subnet_id"])


async def test_a_corrupt_request_entry_is_counted_and_searched_again(service: Running) -> None:
    first = await service.dial()
    redis = service.runtime.cache.entries.redis
    (key,) = await redis.keys("slimdial:1:request:*")
    await redis.append(key, "damage")
    again = await service.dial()
    assert again["subnet_id"] == first["subnet_id"]
    assert again["timings_ms"]["search"] > 0
    assert await service.metric("slimdial_cache_corrupt_total", level="request") == 1
    assert (await service.dial())["timings_ms"]["search"] == 0

"""Numbers of sub-networks, for as long as they are used."""

import pytest

from model_store.cache_server import EmbeddedServer
from service.oip.numbers import Numbers, number_of
from service.settings import Settings
from tests.model_store.cached import ONE
from tests.model_store.test_cache import replica
from tests.service.running import running

pytestmark = pytest.mark.anyio

TTL_S = 100.0


async def test_a_number_in_use_is_written_again_before_its_time_is_over(
    redis: EmbeddedServer,
) -> None:
    seconds = 0.0
    async with replica(redis) as cache:
        numbers = Numbers(cache, TTL_S, lambda: seconds)
        await numbers.remember(ONE)
        assert await numbers.find(number_of(ONE)) == ONE
        await cache.entries.redis.flushall()
        seconds = 0.49 * TTL_S
        await numbers.remember(ONE)
        assert await numbers.find(number_of(ONE)) is None  # once was enough
        seconds = 0.5 * TTL_S
        await numbers.remember(ONE)
        assert await numbers.find(number_of(ONE)) == ONE


async def test_a_load_gives_a_number_out_again_that_was_lost(external: Settings) -> None:
    load = "/v2/repository/models/tiny/load"
    async with running(external) as one, running(external) as other:
        first = (await one.http.post(load)).json()
        await one.runtime.cache.entries.redis.flushall()
        assert (await one.http.post(load)).json() == first
        found = await other.runtime.oip.repository.subnet_id(first["number"])
        assert found == first["version"]

import asyncio

from model_store.cache_periodic import every


async def at_least(runs: list[int], count: int) -> None:
    while len(runs) < count:
        await asyncio.sleep(0)


def test_it_is_done_again_and_again_until_the_block_is_left() -> None:
    runs: list[int] = []

    async def action() -> None:
        runs.append(1)

    async def scenario() -> None:
        async with every(0.0, action):
            await at_least(runs, 3)
        done = len(runs)
        for _ in range(10):
            await asyncio.sleep(0)
        assert len(runs) == done

    asyncio.run(scenario())


def test_an_action_that_swallows_cancellation_does_not_keep_it_going() -> None:
    runs: list[int] = []

    async def stubborn() -> None:
        runs.append(1)
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            runs.append(2)

    async def scenario() -> None:
        async with every(0.0, stubborn):
            await at_least(runs, 1)

    asyncio.run(scenario())
    assert 2 not in runs

import asyncio

import pytest

from model_store.cache_flights import Flights


def test_many_callers_share_one_piece_of_work() -> None:
    runs = 0

    async def scenario() -> list[int]:
        flights: Flights[int] = Flights()
        gate = asyncio.Event()

        async def work() -> int:
            nonlocal runs
            runs += 1
            await gate.wait()
            return 42

        callers = [asyncio.create_task(flights.run("key", work)) for _ in range(20)]
        while not runs:
            await asyncio.sleep(0)
        gate.set()
        return await asyncio.gather(*callers)

    assert asyncio.run(scenario()) == [42] * 20
    assert runs == 1


def test_work_goes_on_when_its_first_caller_leaves() -> None:
    async def scenario() -> str:
        flights: Flights[str] = Flights()
        started, gate = asyncio.Event(), asyncio.Event()

        async def work() -> str:
            started.set()
            await gate.wait()
            return "done"

        first = asyncio.create_task(flights.run("key", work))
        await started.wait()
        second = asyncio.create_task(flights.run("key", work))
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        gate.set()
        return await second

    assert asyncio.run(scenario()) == "done"


def test_all_callers_get_the_failure_and_the_next_one_tries_again() -> None:
    async def scenario() -> None:
        flights: Flights[str] = Flights()

        async def fail() -> str:
            raise ValueError("no")

        async def succeed() -> str:
            return "yes"

        results = await asyncio.gather(
            flights.run("key", fail), flights.run("key", fail), return_exceptions=True
        )
        assert [str(r) for r in results] == ["no", "no"]
        assert await flights.run("key", succeed) == "yes"
        assert len(flights) == 0

    asyncio.run(scenario())

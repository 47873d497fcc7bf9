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


class Work:
    """Says when it has begun, ends when it is told to."""

    def __init__(self) -> None:
        self.runs = 0
        self.begun, self.end = asyncio.Event(), asyncio.Event()

    async def __call__(self) -> str:
        self.runs += 1
        self.begun.set()
        await self.end.wait()
        return f"run {self.runs}"


async def leave(caller: asyncio.Task[str]) -> None:
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller


@pytest.mark.parametrize("while_wanted", [False, True])
def test_work_goes_on_when_its_first_caller_leaves(while_wanted: bool) -> None:
    async def scenario() -> str:
        flights: Flights[str] = Flights(while_wanted)
        work = Work()
        first, second = (asyncio.create_task(flights.run("key", work)) for _ in range(2))
        await work.begun.wait()
        await leave(first)
        work.end.set()
        return await second

    assert asyncio.run(scenario()) == "run 1"


@pytest.mark.parametrize(("while_wanted", "expected"), [(False, "run 1"), (True, "run 2")])
def test_work_goes_on_without_callers_unless_it_is_only_for_them(
    while_wanted: bool, expected: str
) -> None:
    async def scenario() -> str:
        flights: Flights[str] = Flights(while_wanted)
        work = Work()
        callers = [asyncio.create_task(flights.run("key", work)) for _ in range(2)]
        await work.begun.wait()
        for caller in callers:
            await leave(caller)
        work.end.set()
        return await flights.run("key", work)

    assert asyncio.run(scenario()) == expected


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

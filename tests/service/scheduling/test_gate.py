import asyncio

import pytest

from service.errors import OverloadedError
from service.scheduling.admission import Admission
from service.scheduling.gate import Gate

pytestmark = pytest.mark.anyio


async def test_so_many_are_inside_so_many_wait_and_the_rest_is_refused() -> None:
    gate = Gate("builds", slots=2, queue=3)
    leave = asyncio.Event()
    inside = most = 0

    async def visit() -> None:
        nonlocal inside, most
        async with gate.enter():
            inside += 1
            most = max(most, inside)
            await leave.wait()
            inside -= 1

    visits = [asyncio.create_task(visit()) for _ in range(5)]
    while gate.waiting < 3:
        await asyncio.sleep(0)
    with pytest.raises(OverloadedError, match="3 builds wait already") as refused:
        async with gate.enter():
            pass
    assert refused.value.status == 429
    assert refused.value.headers == {"Retry-After": str(gate.retry_after_s)}
    leave.set()
    await asyncio.gather(*visits)
    assert most == 2
    async with gate.enter():
        assert gate.waiting == 0


async def test_who_stops_waiting_makes_room() -> None:
    gate = Gate("builds", slots=1, queue=1)

    async def visit() -> None:
        async with gate.enter():
            pass

    async with gate.enter():
        waiting = asyncio.create_task(visit())
        while not gate.waiting:
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert gate.waiting == 0
    await visit()


async def test_a_failure_inside_gives_the_place_back() -> None:
    gate = Gate("builds", slots=1, queue=0)
    for _ in range(3):
        with pytest.raises(ValueError, match="inside"):
            async with gate.enter():
                raise ValueError("inside")


def test_at_most_so_many_are_admitted() -> None:
    admission = Admission("visitors are there", limit=1)
    with admission.enter(7):
        message = "1 visitors are there, as many as may"
        with pytest.raises(OverloadedError, match=message) as full, admission.enter(7):
            pass
        assert full.value.headers["Retry-After"] == "7"
    with admission.enter(7):
        assert admission.inside == 1

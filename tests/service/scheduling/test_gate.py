import asyncio

import pytest

from service.errors import OverloadedError
from service.scheduling.admission import Admission
from service.scheduling.gate import Gate

pytestmark = pytest.mark.anyio


async def nothing() -> None:
    pass


async def test_so_many_are_inside_so_many_wait_and_the_rest_is_refused() -> None:
    gate = Gate("builds", slots=2, queue=3)
    leave = asyncio.Event()
    inside = most = 0

    async def visit() -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await leave.wait()
        inside -= 1

    visits = [asyncio.create_task(gate.run(visit)) for _ in range(5)]
    while gate.waiting < 3 or inside < 2:
        await asyncio.sleep(0)
    with pytest.raises(OverloadedError, match="3 builds wait already") as refused:
        await gate.run(nothing)
    assert refused.value.status == 429
    assert refused.value.headers == {"Retry-After": str(gate.retry_after_s)}
    leave.set()
    await asyncio.gather(*visits)
    assert most == 2
    await gate.run(nothing)
    assert gate.waiting == 0


async def test_who_stops_waiting_makes_room_and_who_left_inside_keeps_the_place_to_the_end() -> (
    None
):
    gate = Gate("builds", slots=1, queue=1)
    begun, leave = asyncio.Event(), asyncio.Event()
    done = []

    async def visit() -> None:
        begun.set()
        await leave.wait()
        done.append("visit")

    async def never() -> None:
        raise AssertionError

    inside = asyncio.create_task(gate.run(visit))
    await begun.wait()
    waits = asyncio.create_task(gate.run(never))
    while not gate.waiting:
        await asyncio.sleep(0)
    for left in (inside, waits):
        left.cancel()
        with pytest.raises(asyncio.CancelledError):
            await left
    assert gate.waiting == 0

    async def after() -> None:
        done.append("after")

    last = asyncio.create_task(gate.run(after))
    while not gate.waiting:
        await asyncio.sleep(0)
    leave.set()
    await last
    assert done == ["visit", "after"]


async def test_a_failure_inside_gives_the_place_back() -> None:
    async def fail() -> None:
        raise ValueError("inside")

    gate = Gate("builds", slots=1, queue=0)
    for _ in range(3):
        with pytest.raises(ValueError, match="inside"):
            await gate.run(fail)


def test_at_most_so_many_are_admitted() -> None:
    admission = Admission("visitors are there", limit=1)
    with admission.enter(7):
        message = "1 visitors are there, as many as may"
        with pytest.raises(OverloadedError, match=message) as full, admission.enter(7):
            pass
        assert full.value.headers["Retry-After"] == "7"
    with admission.enter(7):
        assert admission.inside == 1

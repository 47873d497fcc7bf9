import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest
from starlette.types import Message

from service.errors import ClientLeftError, DeadlineError
from service.patience import HEADER, Patience, seconds_of

pytestmark = pytest.mark.anyio


async def stays() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


async def leaves() -> Message:
    return {"type": "http.disconnect"}


async def test_what_is_done_in_time_is_not_disturbed() -> None:
    async with Patience(stays, 60.0) as allowed:
        assert allowed.since <= asyncio.get_running_loop().time()
        assert allowed.until == allowed.since + 60.0


async def test_a_deadline_that_is_over_ends_the_block() -> None:
    with pytest.raises(DeadlineError, match="longer than its 0 s") as late:
        async with Patience(stays, 0.0):
            await asyncio.Event().wait()
    assert late.value.status == 504


async def test_a_deadline_counts_even_where_a_library_swallows_the_interruption() -> None:
    async def swallows() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    with pytest.raises(DeadlineError):
        async with Patience(stays, 0.0):
            await swallows()


async def test_a_client_that_leaves_ends_the_block() -> None:
    with pytest.raises(ClientLeftError):
        async with Patience(leaves, 60.0):
            await asyncio.Event().wait()


async def test_the_end_of_a_body_is_no_leave() -> None:
    messages = iter([{"type": "http.request"}, {"type": "http.request"}])

    async def receive() -> Message:
        return next(messages, None) or await stays()

    async with Patience(receive, 60.0):
        for _ in range(5):
            await asyncio.sleep(0)


@pytest.mark.parametrize("receive", [stays, leaves])
async def test_errors_inside_stay_what_they_are(receive: Callable[[], Awaitable[Message]]) -> None:
    for error in (ValueError("mine"), TimeoutError("mine")):
        with pytest.raises(type(error), match="mine"):
            async with Patience(receive, 60.0):
                raise error


async def test_being_cancelled_from_outside_is_no_deadline() -> None:
    async def wait() -> None:
        async with Patience(stays, 60.0):
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    ("headers", "longest_s", "expected"),
    [({}, 60.0, 60.0), ({HEADER: "1500"}, 60.0, 1.5), ({HEADER: "90000"}, 60.0, 60.0)],
)
def test_the_client_may_ask_for_less(
    headers: dict[str, str], longest_s: float, expected: float
) -> None:
    assert seconds_of(headers, longest_s) == expected

"""Room for the bodies of all requests together."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from service.errors import TooLargeError, UnavailableError
from service.settings import Settings
from service.uploads import Uploads
from tests.service.running import encoded, picture, running

pytestmark = pytest.mark.anyio

LIMIT, TOTAL = 80, 100

Does = Callable[[Receive], Awaitable[None]]
"""What the app does with a request."""


async def app(scope: Scope, receive: Receive, _: Send) -> None:
    await scope["does"](receive)


async def nothing_is_sent(_: Message) -> None:
    raise AssertionError


@pytest.fixture
def uploads() -> Uploads:
    return Uploads(app, limit_bytes=LIMIT, total_bytes=TOTAL, timeout_s=60.0)


async def ask(uploads: Uploads, does: Does, *pieces: int) -> None:
    """A request whose body comes in pieces of so many bytes, until its client leaves."""
    messages = iter(pieces)

    async def receive() -> Message:
        size = next(messages, None)
        if size is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": bytes(size), "more_body": True}

    await uploads({"type": "http", "headers": [], "does": does}, receive, nothing_is_sent)


async def read(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def test_what_has_come_of_all_bodies_is_bounded(uploads: Uploads) -> None:
    async def meanwhile(receive: Receive) -> None:
        await receive()
        await ask(uploads, read, 20, 20)
        with pytest.raises(UnavailableError, match="100 bytes together"):
            await ask(uploads, read, 20, 21)
        await ask(uploads, read, 40)

    await ask(uploads, meanwhile, 60)


async def fails(receive: Receive) -> None:
    await receive()
    raise RuntimeError


async def is_cancelled(receive: Receive) -> None:
    await receive()
    raise asyncio.CancelledError


async def loses_its_client(receive: Receive) -> None:
    await read(receive)
    raise ClientDisconnect


@pytest.mark.parametrize("ends", [read, fails, is_cancelled, loses_its_client])
async def test_however_a_request_ends_there_is_room_again(uploads: Uploads, ends: Does) -> None:
    with contextlib.suppress(RuntimeError, asyncio.CancelledError, ClientDisconnect):
        await ask(uploads, ends, 30, 30)
    await ask(uploads, read, LIMIT)


async def test_a_body_that_is_refused_leaves_its_room_to_others(uploads: Uploads) -> None:
    with pytest.raises(TooLargeError):
        await ask(uploads, read, 60, 21)

    async def meanwhile(receive: Receive) -> None:
        await receive()
        with pytest.raises(UnavailableError):
            await ask(uploads, read, 80)
        await ask(uploads, read, 40)

    await ask(uploads, meanwhile, 60)


async def test_a_prediction_without_room_for_its_image_is_told_to_come_again(
    settings: Settings,
) -> None:
    image = encoded(picture())
    limited = settings.model_copy(update={"max_total_body_bytes": len(image) + 1})
    async with running(limited) as service:
        path = f"/predict?budget={service.gmacs(0.1)}"
        headers = {"content-type": "image/png"}

        async def slowly() -> AsyncIterator[bytes]:
            yield image[:2]
            refused = await service.http.post(path, content=image, headers=headers)
            assert refused.status_code == 503
            assert refused.headers["retry-after"] == "1"
            assert "bodies of all requests" in refused.json()["error"]
            yield image[2:]

        for content in (slowly(), image):
            answer = await service.http.post(path, content=content, headers=headers)
            assert answer.status_code == 200, answer.text

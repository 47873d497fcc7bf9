"""The real server on a free port, within the event loop of a test."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from service.server import make_server
from service.settings import Settings


@dataclass(frozen=True)
class Listening:
    """Where it listens."""

    url: str
    port: int

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A bare connection."""
        return await asyncio.open_connection("127.0.0.1", self.port)


@contextlib.asynccontextmanager
async def listening(settings: Settings) -> AsyncIterator[Listening]:
    """Starts the server and ends it."""
    ready = asyncio.Event()
    server = make_server(settings.model_copy(update={"port": 0}), ready=lambda _: ready.set())
    serving = asyncio.create_task(server.serve())
    serving.add_done_callback(lambda _: ready.set())
    await ready.wait()
    try:
        url = server.url
        yield Listening(url, int(url.rpartition(":")[2]))
    finally:
        server.should_exit = True
        await serving

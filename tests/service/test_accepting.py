"""Connections are taken one at a time, so that several loops on one socket get a share each."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import cast

import pytest

from service.accepting import OneByOne, Server


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@contextlib.contextmanager
def clients(listener: socket.socket, number: int) -> Iterator[list[socket.socket]]:
    """Connections that wait to be taken."""
    with contextlib.ExitStack() as open_:
        yield [
            open_.enter_context(socket.create_connection(listener.getsockname(), timeout=30))
            for _ in range(number)
        ]


class Greeting(asyncio.Protocol):
    """Says hello to everybody."""

    def __init__(self, greeted: Callable[[], None]) -> None:
        self._greeted = greeted

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        greeter = cast("asyncio.Transport", transport)
        greeter.write(b"1")
        greeter.close()
        self._greeted()


async def greet(listener: socket.socket, number: int) -> int:
    """Takes connections until as many were greeted; says how many it was in the end."""
    found = 0
    enough = asyncio.Event()

    def greeted() -> None:
        nonlocal found
        found += 1
        if found >= number:
            enough.set()

    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Greeting(greeted), sock=listener)
    await enough.wait()
    server.close()
    await server.wait_closed()
    return found


def test_connections_that_come_together_are_left_for_other_processes(
    listener: socket.socket,
) -> None:
    with (
        clients(listener, 50),
        asyncio.Runner(loop_factory=OneByOne) as first,
        asyncio.Runner(loop_factory=OneByOne) as second,
    ):
        assert first.run(greet(listener, 1)) <= 10
        assert second.run(greet(listener, 30)) >= 30


def test_it_goes_on_after_there_were_too_many_files(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.accepting._FULL_S", 0.01)
    full = [OSError(24, "Too many open files")]

    class Full:
        """The socket of a process that has no descriptor left, once."""

        def accept(self) -> tuple[socket.socket, object]:
            if full:
                raise full.pop()
            return listener.accept()

        def fileno(self) -> int:
            return listener.fileno()

        def setblocking(self, flag: bool) -> None:
            listener.setblocking(flag)

        def listen(self, backlog: int) -> None:
            listener.listen(backlog)

    async def serve() -> None:
        taken = asyncio.Event()
        loop = asyncio.get_running_loop()
        server = Server(loop, lambda: Greeting(taken.set), Full(), None, 5)  # type: ignore[arg-type]
        await taken.wait()
        server.close()
        await server.wait_closed()

    with clients(listener, 1) as (client,), asyncio.Runner(loop_factory=OneByOne) as runner:
        runner.run(serve())
        assert client.recv(1) == b"1"

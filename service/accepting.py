"""Connections, shared evenly by the processes that listen on one socket.

libuv takes all connections that wait at once. Of those that come together, as the pool of a proxy
does, one process may get all and the others none; and connections that are kept alive stay there.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from typing import Any

import uvloop

log = logging.getLogger(__name__)

_SHARE_S = 0.001
"""After each connection the others have so long to take the next one; so a process takes no more
than a thousand a second."""
_FULL_S = 1.0
"""The wait after which a process that had no descriptor left tries again."""

Protocols = Callable[[], asyncio.BaseProtocol]


class OneByOne(uvloop.Loop):
    """uvloop's, whose servers on a given socket take one connection at a time."""

    async def create_server(  # type: ignore[override]
        self,
        protocol_factory: Protocols,
        *where: Any,  # noqa: ANN401
        sock: socket.socket | None = None,
        ssl: ssl.SSLContext | None = None,
        backlog: int = 100,
        **options: Any,  # noqa: ANN401
    ) -> "asyncio.AbstractServer | Server":
        """As uvloop's."""
        if sock is None:
            return await super().create_server(
                protocol_factory, *where, ssl=ssl, backlog=backlog, **options
            )
        return Server(self, protocol_factory, sock, ssl, backlog)


class Server:
    """Takes the connections of a socket, one at a time; uvicorn closes it."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        protocols: Protocols,
        listener: socket.socket,
        tls: ssl.SSLContext | None,
        backlog: int,
    ) -> None:
        """Takes connections from now on.

        Args:
            loop: this process's.
            protocols: makes the protocol of each connection.
            listener: bound; other processes may listen on it as well.
            tls: None for none.
            backlog: connections that the kernel keeps waiting.
        """
        self._loop = loop
        self._protocols = protocols
        self._listener = listener
        self._tls = tls
        self._tasks: set[asyncio.Task[Any]] = set()
        self._open = True
        listener.setblocking(False)
        listener.listen(backlog)
        loop.add_reader(listener, self._accept)

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """The socket; none once it is closed."""
        return (self._listener,) if self._open else ()

    def close(self) -> None:
        """Takes no more; connections that are there go on, and so do others on the socket."""
        if self._open:
            self._open = False
            self._loop.remove_reader(self._listener)

    async def wait_closed(self) -> None:
        """Until those that were taken last have their protocols."""
        await asyncio.gather(*self._tasks)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # another process was faster, or the client has left
        except OSError as error:  # most likely, there are as many descriptors as may be
            log.warning("a connection could not be taken: %s", error.strerror)
            self._wait(_FULL_S)
            return
        self._wait(_SHARE_S)
        connection.setblocking(False)
        task = self._loop.create_task(self._begin(connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _wait(self, seconds: float) -> None:
        self._loop.remove_reader(self._listener)
        self._loop.call_later(seconds, self._go_on)

    def _go_on(self) -> None:
        if self._open:
            self._loop.add_reader(self._listener, self._accept)

    async def _begin(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._protocols, connection, ssl=self._tls)
        except OSError as error:  # it failed to shake hands over TLS, or has left
            log.debug("a connection was lost at once: %s", error)
            connection.close()

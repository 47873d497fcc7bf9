"""uvicorn, taught to say that it is leaving before it does."""

import asyncio
import logging
import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI

from service.app import create_app
from service.catalog import Catalog
from service.settings import Settings


class Server(uvicorn.Server):
    """On SIGTERM ``/readyz`` turns 503 at once; connections are closed after ``drain_s`` seconds.

    So a load balancer stops sending before requests would be refused. Ctrl-C, or a second
    SIGTERM, skips the wait.
    """

    def __init__(
        self, app: FastAPI, settings: Settings, ready: "Callable[[Server], None] | None" = None
    ) -> None:
        """Listens nowhere yet.

        Args:
            app: the service.
            settings: address, port and draining time.
            ready: called once requests are answered.
        """
        config = uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="on",
            # Longer than clients and load balancers keep idle connections, so that it is they who
            # close them: a server that does so races with the next request.
            timeout_keep_alive=75,
        )
        super().__init__(config)
        self._app = app
        self._drain_s = settings.drain_s
        self._leaving = False
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, and says when it is done."""
        await super().startup(sockets)
        if self.started and self._ready is not None:
            self._ready(self)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """The signal handler: runs in the main thread, between two steps of the event loop."""
        runtime = getattr(self._app.state, "runtime", None)
        if runtime is None or sig == signal.SIGINT or self._leaving or not self._drain_s:
            self.should_exit = True
            self.force_exit = self._leaving and sig == signal.SIGINT
            self._leaving = True
            return
        self._leaving = True
        runtime.draining = True
        logging.getLogger(__name__).info("leaving in %.1f s: /readyz says 503", self._drain_s)
        asyncio.get_running_loop().call_later(self._drain_s, setattr, self, "should_exit", True)

    @property
    def url(self) -> str:
        """Where the service listens, once it does."""
        port = self.servers[0].sockets[0].getsockname()[1]
        host = self.config.host
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def make_server(
    settings: Settings,
    catalog: Catalog | None = None,
    ready: Callable[[Server], None] | None = None,
) -> Server:
    """The service behind an HTTP server; ``run()`` blocks until it is told to stop."""
    return Server(create_app(settings, catalog), settings, ready)

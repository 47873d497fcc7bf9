"""uvicorn: one process that listens, or several that share a socket."""

import gc
import math
import socket
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI

from service.app import create_app
from service.catalog import Catalog
from service.connections import ConnectionLimits, Protocol
from service.security.tls import tls_options
from service.settings import Settings


def options(settings: Settings) -> dict[str, Any]:
    """What uvicorn is told, with one worker or several.

    Raises:
        TlsError: certificate or key cannot be used.
    """
    limits = ConnectionLimits(settings.max_connections, settings.upload_timeout_s)
    return {
        **tls_options(settings),
        "http": partial(Protocol, limits),
        "ws": "none",
        "host": settings.host,
        "port": settings.port,
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "lifespan": "on",
        # Longer than clients and load balancers keep idle connections, so that it is they who
        # close them: a server that does so races with the next request.
        "timeout_keep_alive": 75,
        # No request may take longer; what hangs nevertheless must not keep the process for ever.
        "timeout_graceful_shutdown": math.ceil(settings.request_timeout_s),
    }


class Server(uvicorn.Server):
    """uvicorn's, which says when requests are answered, and ends with exit code 0."""

    def __init__(
        self, app: FastAPI, settings: Settings, ready: "Callable[[Server], None] | None" = None
    ) -> None:
        """Listens nowhere yet.

        Args:
            app: the service.
            settings: address and port.
            ready: called once requests are answered.
        """
        super().__init__(uvicorn.Config(app, **options(settings)))
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, and says when it is done."""
        await super().startup(sockets)
        collect_seldom()
        if self.started and self._ready is not None:
            self._ready(self)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """As uvicorn's, which raises the signal again afterwards: to have ended is no failure."""
        self.force_exit = self.should_exit
        self.should_exit = True

    @property
    def url(self) -> str:
        """Where the service listens, once it does."""
        return url_of(self.config, self.servers[0].sockets[0].getsockname()[1])


def collect_seldom() -> None:
    """What has been imported stays: the garbage collector need not look through it again."""
    gc.collect()
    gc.freeze()
    # A request leaves hundreds of objects, nearly all of which go by themselves.
    gc.set_threshold(20_000, 20, 20)


def url_of(config: uvicorn.Config, port: int) -> str:
    """Where a server listens, as a URL."""
    host = f"[{config.host}]" if ":" in config.host else config.host
    return f"{'https' if config.is_ssl else 'http'}://{host}:{port}"


def make_server(
    settings: Settings,
    catalog: Catalog | None = None,
    ready: Callable[[Server], None] | None = None,
) -> Server:
    """The service behind an HTTP server; ``run()`` blocks until it is told to stop."""
    return Server(create_app(settings, catalog), settings, ready)

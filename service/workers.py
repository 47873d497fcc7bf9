"""Several processes that share a port: ``slimdial serve --workers N``.

uvicorn's supervisor starts them, starts those again that died, and passes SIGTERM on; each worker
drains on its own. On SIGHUP all are replaced, one after another. They share the embedded Redis (the
first one starts it) and a folder of metrics.
"""

import logging
import os
import signal
import socket
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from prometheus_client.multiprocess import mark_process_dead
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from service import logs
from service.app import create_app
from service.leaving import RETIRE
from service.security.tls import TlsError, tls_options
from service.server import collect_seldom, options, url_of
from service.settings import Settings

log = logging.getLogger(__name__)

METRICS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

_START_S = 60.0
_HANGS_S = 30


class WorkerError(Exception):
    """A worker did not start; its own log says why."""


def serve(settings: Settings, ready: Callable[[str], None]) -> None:
    """Serves with several workers until told to stop.

    Args:
        settings: what is set; ``workers`` says how many.
        ready: called with the URL once all of them answer.

    Raises:
        SystemExit: the port is taken; uvicorn has logged so.
        WorkerError: a worker did not start; the others have been stopped.
    """
    # A folder of its own for every start: numbers of an earlier one must not be counted.
    with tempfile.TemporaryDirectory(prefix="slimdial-metrics-") as folder:
        # prometheus_client looks at this variable when it is imported: in the workers, not here.
        os.environ[METRICS_VARIABLE] = folder
        config = uvicorn.Config(
            partial(worker_app, settings, Path(folder)),
            factory=True,
            workers=settings.workers,
            # A worker that is only slow, on a busy machine, is not to be killed.
            timeout_worker_healthcheck=_HANGS_S,
            loop="service.accepting:OneByOne",
            **options(settings),
        )
        listener = config.bind_socket()
        with listener:
            supervisor = Workers(config, listener, settings, Path(folder), ready)
            supervisor.run()
        if supervisor.failed:
            raise WorkerError("a worker did not start; the log above says why")


def worker_app(settings: Settings, metrics: Path) -> FastAPI:
    """The app of one worker, made in its own process."""
    logs.configure(settings)
    app = create_app(settings, metrics=metrics)
    collect_seldom()
    return app


class Workers(Multiprocess):
    """uvicorn's supervisor, which says when all answer, and forgets the gauges of the dead."""

    def __init__(
        self,
        config: uvicorn.Config,
        listener: socket.socket,
        settings: Settings,
        metrics: Path,
        ready: Callable[[str], None],
    ) -> None:
        """Starts nothing yet.

        Args:
            config: of uvicorn.
            listener: the bound socket that they share.
            settings: what is set.
            metrics: the folder of their metrics.
            ready: called with the URL once all of them answer.
        """
        super().__init__(config, [listener])
        self._settings = settings
        self._metrics = metrics
        self._ready = ready
        self.failed = False

    def init_processes(self) -> None:
        """As uvicorn's, and waits for them; where one cannot start, the others are stopped."""
        super().init_processes()
        if all(p.wait_until_ready(_START_S, self.should_exit) for p in self.processes):
            self._ready(url_of(self.config, self.sockets[0].getsockname()[1]))
        else:
            self.failed = not self.signal_queue  # a signal is no failure
            self.should_exit.set()

    def handle_int(self) -> None:
        """As uvicorn's, without the wait that SIGTERM asks for."""
        super().handle_int()
        for process in self.processes:
            if process.pid is not None and process.process.is_alive():
                os.kill(process.pid, signal.SIGINT)

    def keep_subprocess_alive(self) -> None:
        """As uvicorn's; gauges of workers that are gone no longer count."""
        before = {p.pid for p in self.processes}
        super().keep_subprocess_alive()
        for pid in before - {p.pid for p in self.processes}:
            self._forget(pid)

    def restart_all(self) -> None:
        """Replaces each worker. The old one retires, and so fails no request, once the new serves.

        uvicorn's has the old one leave as if the whole service did.
        """
        try:
            tls_options(self._settings)  # new workers read the files again
        except TlsError as error:
            log.error("the workers that are there stay: %s", error)
            return
        for index, old in enumerate(tuple(self.processes)):
            new = Process(self.config, self.sockets)
            new.start()
            if not new.wait_until_ready(_START_S, self.should_exit):
                new.kill()
                new.join()
                log.error("a new worker did not start; those that are there stay")
                return
            self.processes[index] = new
            if old.pid is not None and old.process.is_alive():
                os.kill(old.pid, RETIRE)
            while old.process.is_alive():
                old.process.join(0.1)
                if {signal.SIGTERM, signal.SIGINT} & set(self.signal_queue):
                    self.processes.append(old)  # to be ended with the others
                    return
            self._forget(old.pid)

    def _forget(self, pid: int | None) -> None:
        mark_process_dead(pid, str(self._metrics))  # type: ignore[no-untyped-call]

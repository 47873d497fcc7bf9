"""The servers that are compared, how each is started, and the configurations that were tried.

The first configuration of each is its best: the one with which ``side_by_side --every`` measured
the most predictions a second.
"""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PEERS = HERE / "peers"
ENVIRONMENTS = PEERS / ".venvs"
_APPS = "benchmarks.serving.peers"


@dataclass(frozen=True)
class Place:
    """Where a server runs."""

    folder: Path
    """Its own."""
    job: Path
    """With ``network.onnx`` and ``tasks.json``."""
    port: int
    models: Path
    """The published model that the network was cut from."""


@dataclass(frozen=True)
class Configuration:
    """How many processes and threads; the values go into the server's environment."""

    name: str
    values: Mapping[str, str]


@dataclass(frozen=True)
class Server:
    """One of those that are compared."""

    name: str
    noop: str
    """The route that does least in the server's application: its liveness. That of Ray Serve is
    answered by HAProxy in front of it, in C; so there it is a route that answers nothing."""
    command: Callable[[Place], list[str]]
    configurations: tuple[Configuration, ...]
    environ: Callable[[Place], Mapping[str, str]] = field(default=lambda _: {})


def _peer(name: str, program: str, *arguments: str) -> list[str]:
    return [str(ENVIRONMENTS / name / "bin" / program), *arguments]


def environ_of(server: Server, configuration: Configuration, place: Place) -> dict[str, str]:
    """The environment of a server; libraries that would start threads of their own get one."""
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "PEER_FOLDER": str(place.job),
        "PEER_PORT": str(place.port),
        **server.environ(place),
        **configuration.values,
    }


def _slimdial(place: Place) -> list[str]:
    options = ("--port", str(place.port), "--log-level", "warning", "--data-dir")
    return [sys.executable, "-m", "service.cli", "serve", *options, str(place.folder)]


def _fastapi(place: Place) -> list[str]:
    options = ("--port", str(place.port), "--no-access-log", "--log-level", "warning")
    return _peer("fastapi", "uvicorn", *options, f"{_APPS}.fastapi_app:app")


def _bentoml(place: Place) -> list[str]:
    options = ("--host", "127.0.0.1", "--port", str(place.port))
    return _peer("bentoml", "bentoml", "serve", *options, f"{_APPS}.bentoml_app:Network")


def _mlserver_environ(place: Place) -> dict[str, str]:
    return {
        "MLSERVER_HOST": "127.0.0.1",
        "MLSERVER_HTTP_PORT": str(place.port),
        "MLSERVER_GRPC_PORT": str(place.port + 1),
        "MLSERVER_METRICS_PORT": str(place.port + 2),
        "MLSERVER_DEBUG": "false",
    }


SLIMDIAL = Server(
    "slimdial",
    "/livez",
    _slimdial,
    (
        Configuration("2 workers, 1 thread each", {"SLIMDIAL_WORKERS": "2"}),
        Configuration("1 worker, 2 threads", {}),
    ),
    lambda place: {"SLIMDIAL_MODELS_ROOT": str(place.models)},
)

FASTAPI = Server(
    "FastAPI",
    "/livez",
    _fastapi,
    (
        Configuration("2 workers, on the loop", {"WEB_CONCURRENCY": "2", "PEER_THREADS": "0"}),
        Configuration("2 workers, 1 thread each", {"WEB_CONCURRENCY": "2", "PEER_THREADS": "1"}),
        Configuration("1 worker, 2 threads", {"WEB_CONCURRENCY": "1", "PEER_THREADS": "2"}),
    ),
)

LITSERVE = Server(
    "LitServe",
    "/health",
    lambda _: _peer("litserve", "python", "-m", f"{_APPS}.litserve_app"),
    tuple(
        Configuration(
            f"{workers} workers, {servers} API servers, {'ZeroMQ' if fast == '1' else 'queue'}",
            {"PEER_WORKERS": workers, "PEER_API_SERVERS": servers, "PEER_FAST_QUEUE": fast},
        )
        for workers, servers, fast in (
            ("2", "2", "0"),
            ("2", "1", "0"),
            ("2", "1", "1"),
            ("1", "1", "0"),
        )
    ),
)

MLSERVER = Server(
    "MLServer",
    "/v2/health/live",
    lambda _: _peer("mlserver", "mlserver", "start", str(PEERS / "mlserver")),
    (
        Configuration(
            "in the server, 2 threads", {"MLSERVER_PARALLEL_WORKERS": "0", "PEER_THREADS": "2"}
        ),
        Configuration(
            "in the server, on the loop", {"MLSERVER_PARALLEL_WORKERS": "0", "PEER_THREADS": "0"}
        ),
        Configuration("2 workers", {"MLSERVER_PARALLEL_WORKERS": "2", "PEER_THREADS": "0"}),
        Configuration("1 worker", {"MLSERVER_PARALLEL_WORKERS": "1", "PEER_THREADS": "0"}),
    ),
    _mlserver_environ,
)

BENTOML = Server(
    "BentoML",
    "/livez",
    _bentoml,
    tuple(
        Configuration(
            f"{workers} workers, {threads} threads each",
            {"PEER_WORKERS": workers, "PEER_THREADS": threads},
        )
        for workers, threads in (("2", "1"), ("2", "2"), ("1", "2"), ("1", "1"))
    ),
)

RAYSERVE = Server(
    "Ray Serve",
    "/noop",
    lambda _: _peer("rayserve", "python", "-m", f"{_APPS}.rayserve_app"),
    tuple(
        Configuration(
            f"{replicas} replicas, {threads or 'no'} threads each, {ongoing} requests at a time",
            {"PEER_WORKERS": replicas, "PEER_THREADS": threads, "PEER_ONGOING": ongoing},
        )
        for replicas, threads, ongoing in (
            ("1", "2", "8"),
            ("2", "1", "8"),
            ("2", "0", "8"),
            ("2", "0", "2"),
        )
    ),
)

SERVERS = (SLIMDIAL, FASTAPI, LITSERVE, MLSERVER, BENTOML, RAYSERVE)

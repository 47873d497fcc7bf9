"""Leaving without a failed request, with real processes and a real client."""

import http.client
import itertools
import os
import signal
import ssl
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.service.certificates import Authority, needs_openssl
from tests.service.process import Process, serving
from tests.service.running import Running, encoded, picture
from tests.service.test_workers import workers_in

PNG = {"content-type": "image/png"}


@pytest.fixture
def environ() -> dict[str, str]:
    return {**os.environ, "SLIMDIAL_DRAIN_S": "0.3", "SLIMDIAL_THREADS": "1"}


@pytest.mark.anyio
async def test_while_draining_answers_close_their_connection(service: Running) -> None:
    assert "connection" not in (await service.http.get("/livez")).headers
    service.runtime.draining = True
    assert (await service.http.get("/readyz")).status_code == 503
    answered = await service.http.get("/models")
    assert (answered.status_code, answered.headers["connection"]) == (200, "close")


@pytest.mark.anyio
async def test_at_the_end_nothing_new_is_begun(service: Running) -> None:
    service.runtime.draining = service.runtime.refusing = True
    for method, path in (("POST", "/predict"), ("POST", "/subnet"), ("GET", "/models")):
        refused = await service.http.request(method, path)
        assert refused.status_code == 503
        assert refused.headers["connection"] == "close"
        assert int(refused.headers["retry-after"]) >= 1
        assert "shutting down" in refused.json()["error"]
    for path in ("/livez", "/healthz", "/metrics"):
        assert (await service.http.get(path)).status_code == 200


def test_a_request_under_way_is_finished(
    models_root: Path, tmp_path: Path, environ: dict[str, str]
) -> None:
    instant = {**environ, "SLIMDIAL_DRAIN_S": "0"}
    arguments = ["--models-root", str(models_root)]
    with serving(arguments, tmp_path, environ=instant) as process:
        body = b'{"budget": {"gmacs": 0.005}}'
        connection = http.client.HTTPConnection(process.url.removeprefix("http://"), timeout=60)
        connection.putrequest("POST", "/subnet")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body[:10])
        with httpx.Client(base_url=process.url) as other:
            while in_flight(other) < 2:  # that request, and the one that asks
                pass
            process.popen.send_signal(signal.SIGTERM)
            while other.get("/readyz").status_code == 200:
                pass
            while other.get("/models").status_code == 200:
                pass
        connection.send(body[10:])
        answer = connection.getresponse()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert b"subnet_id" in answer.read()
        connection.close()
        assert process.popen.wait(30) == 0
    assert "Traceback" not in process.text


def in_flight(client: httpx.Client) -> float:
    name = "slimdial_http_requests_in_flight "
    lines = client.get("/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith(name)).split()[1])


@dataclass
class Balancer:
    """A client of several replicas that tries another one only where one says that it is leaving.

    That is: where the connection is refused, or where it is told 503 and to come again later.
    Everything else that is no 200 is a failure.
    """

    urls: list[str]
    subnet_id: str
    trusting: ssl.SSLContext | bool = True
    answered: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    _away_until: dict[str, float] = field(default_factory=dict)

    def run(self) -> None:
        content = encoded(picture())
        turns = itertools.cycle(range(len(self.urls)))
        with httpx.Client(timeout=60, verify=self.trusting) as client:
            while not self.stop.is_set():
                first = next(turns)
                order = [*self.urls[first:], *self.urls[:first]]
                if not any(self._predicted(client, url, content) for url in order):
                    self.failures.append("no replica took it")

    def _predicted(self, client: httpx.Client, url: str, content: bytes) -> bool:
        if time.monotonic() < self._away_until.get(url, 0.0):
            return False
        try:
            answer = client.post(
                f"{url}/predict?subnet_id={self.subnet_id}", content=content, headers=PNG
            )
        except httpx.ConnectError:
            return False
        except httpx.HTTPError as error:
            self.failures.append(repr(error))
            return True
        if answer.status_code == 503:
            self._away_until[url] = time.monotonic() + float(answer.headers["retry-after"])
            return False
        if answer.status_code != 200:
            self.failures.append(answer.text)
        self.answered[url] = self.answered.get(url, 0) + 1
        return True


def test_no_request_fails_while_one_of_two_replicas_is_restarted(
    models_root: Path, tmp_path: Path, environ: dict[str, str]
) -> None:
    arguments = ["--models-root", str(models_root)]
    with serving(arguments, tmp_path, environ=environ) as stays:
        with serving(arguments, tmp_path, environ=environ) as leaves:
            dialled = httpx.post(f"{stays.url}/subnet", json={"budget": {"gmacs": 0.005}}).json()
            balancer = Balancer([stays.url, leaves.url], dialled["subnet_id"])
            clients = [threading.Thread(target=balancer.run) for _ in range(3)]
            for client in clients:
                client.start()
            progress(balancer, leaves)
            leaves.popen.send_signal(signal.SIGTERM)
            assert leaves.popen.wait(30) == 0
        port = leaves.url.rpartition(":")[2]
        with serving([*arguments, "--port", port], tmp_path, environ=environ) as again:
            assert again.url == leaves.url
            progress(balancer, again)
            balancer.stop.set()
            for client in clients:
                client.join()
    assert balancer.failures == []
    assert "Traceback" not in leaves.text + stays.text + again.text


@needs_openssl
def test_no_request_fails_while_all_workers_of_a_port_are_replaced(
    models_root: Path, tmp_path: Path, environ: dict[str, str]
) -> None:
    """For instance because a certificate was renewed."""
    metrics = tmp_path / "tmp"
    metrics.mkdir()
    authority = Authority.make(tmp_path)
    trusting = ssl.create_default_context(cafile=authority.certificate)
    used = authority.signed("server")
    patient = {
        **environ,
        # Longer than a client waits between two requests, however busy the machine is.
        "SLIMDIAL_DRAIN_S": "50",
        "SLIMDIAL_TLS_CERTIFICATE": str(used.certificate),
        "SLIMDIAL_TLS_KEY": str(used.key),
        "TMPDIR": str(metrics),
    }
    arguments = ["--models-root", str(models_root), "--workers", "2"]
    with serving(arguments, tmp_path / "data", environ=patient) as process:
        budget = {"budget": {"gmacs": 0.005}}
        dialled = httpx.post(f"{process.url}/subnet", json=budget, verify=trusting).json()
        # There is no other replica: whatever is no 200 is a failure.
        balancer = Balancer([process.url], dialled["subnet_id"], trusting)
        clients = [threading.Thread(target=balancer.run, daemon=True) for _ in range(2)]
        for client in clients:
            client.start()
        progress(balancer, process)
        before, presented = workers_in(metrics), certificate_of(process)
        used.key.write_text("junk")
        process.popen.send_signal(signal.SIGHUP)
        while "the workers that are there stay: tls_key" not in process.text:
            balancer.stop.wait(0.01)
        authority.signed("server")
        process.popen.send_signal(signal.SIGHUP)
        while workers_in(metrics) & before and not balancer.stop.wait(0.05):
            assert not balancer.failures
        progress(balancer, process)
        balancer.stop.set()
        for client in clients:
            client.join()
        assert len(workers_in(metrics)) == 2
        renewed = ssl.PEM_cert_to_DER_cert(used.certificate.read_text())
        assert certificate_of(process) == renewed != presented
    assert balancer.failures == []
    assert "Traceback" not in process.text


def certificate_of(process: Process) -> bytes:
    address = httpx.URL(process.url)
    return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((address.host, address.port or 0)))


def progress(balancer: Balancer, replica: Process, requests: int = 10) -> None:
    """Returns when a replica has answered so many more requests."""
    wanted = balancer.answered.get(replica.url, 0) + requests
    while balancer.answered.get(replica.url, 0) < wanted and not balancer.failures:
        balancer.stop.wait(0.01)

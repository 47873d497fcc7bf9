"""Clients that leave, and clients that dawdle, over real sockets."""

import contextlib
import os
import select
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.service.process import Process, serving
from tests.service.running import encoded, picture

JSON, PNG = "application/json", "image/png"
INFER = "/v2/models/tiny/infer"

UPLOADS = [
    ("/subnet", JSON, b'{"budget"'),
    ("/predict?budget=0.005", PNG, b"\x89PNG\r\n"),
    ("/predict", JSON, b'{"image": "'),
    (
        "/predict?budget=0.005",
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="image"; filename="x"\r\n\r\n\x89PNG',
    ),
    (INFER, JSON, b"{"),
    ("/v2/repository/models/tiny/load", JSON, b"{"),
    ("/v2/repository/index", JSON, b"{"),
]
"""Route, type, and how a body begins."""


@pytest.fixture
def http(battered: Process) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=battered.url, timeout=60) as http:
        yield http


def connected(http: httpx.Client) -> socket.socket:
    return socket.create_connection((http.base_url.host, http.base_url.port), timeout=60)


def head(path: str, kind: str, length: int) -> bytes:
    lines = (f"POST {path} HTTP/1.1", "Host: x", f"Content-Type: {kind}")
    return "\r\n".join((*lines, f"Content-Length: {length}", "\r\n")).encode()


def requests(http: httpx.Client, status: str, route: str = "") -> float:
    """How many requests were answered so, by the service's own count."""
    found = [
        float(line.rpartition(" ")[2])
        for line in http.get("/metrics").text.splitlines()
        if line.startswith("slimdial_http_requests_total{")
        and f'status="{status}' in line
        and route in line
    ]
    return sum(found)


def sample(http: httpx.Client, name: str) -> float:
    lines = http.get("/metrics").text.splitlines()
    return next(float(x.rpartition(" ")[2]) for x in lines if x.startswith(name))


def eventually(condition: Callable[[], bool]) -> None:
    """Fails, rather than hangs, where it does not come true."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline


def until(http: httpx.Client, name: str, value: float) -> None:
    """Waits for a metric."""
    eventually(lambda: sample(http, name) == value)


IN_FLIGHT = "slimdial_http_requests_in_flight "


@pytest.mark.parametrize(("path", "kind", "begin"), UPLOADS)
def test_a_client_that_leaves_while_it_sends_is_no_error(
    http: httpx.Client, path: str, kind: str, begin: bytes
) -> None:
    left, failed = requests(http, "499"), requests(http, "5")
    with connected(http) as client:
        client.sendall(head(path, kind, 1000) + begin)
        until(http, IN_FLIGHT, 2)
    until(http, IN_FLIGHT, 1)
    assert requests(http, "499") == left + 1
    assert requests(http, "5") == failed


def test_a_client_that_leaves_after_several_requests_at_once_is_no_error(
    http: httpx.Client, battered: Process
) -> None:
    left, failed = requests(http, "499"), requests(http, "5")
    body = b'{"budget": {"gmacs": 0.0061}}'
    with connected(http) as client:
        client.sendall(head("/subnet", JSON, len(body)) + body + b"GET /livez HTTP/1.1\r\n\r\n")
    eventually(lambda: requests(http, "499") == left + 1)
    assert requests(http, "5") == failed
    assert "ASGI" not in battered.text


def test_clients_that_leave_while_something_is_built_for_them_spoil_nothing(
    http: httpx.Client, url: str
) -> None:
    failed = requests(http, "5")
    bodies = [b'{"budget": {"gmacs": %f}}' % (0.003 + 0.0004 * i) for i in range(6)]
    for body in bodies:
        with connected(http) as client:
            client.sendall(head("/subnet", JSON, len(body)) + body)
    for body in bodies:
        found, other = (
            httpx.post(f"{base}/subnet", content=body, headers={"content-type": JSON}, timeout=60)
            for base in (str(http.base_url), url)
        )
        assert (found.status_code, found.json()["sha256"]) == (200, other.json()["sha256"])
    until(http, IN_FLIGHT, 1)
    assert sample(http, "slimdial_builds_waiting ") == 0
    assert requests(http, "5") == failed


def test_clients_that_leave_in_the_middle_of_predictions_take_nothing_from_the_others(
    http: httpx.Client,
) -> None:
    image = encoded(picture(400, 300))
    path = "/predict?budget=0.005"
    failed = requests(http, "5")

    def predicted() -> bytes:
        headers = {"content-type": PNG, "accept": "application/x-npz"}
        answer = http.post(path, content=image, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.content

    before = predicted()
    for _ in range(20):
        with connected(http) as client:
            client.sendall(head(path, PNG, len(image)) + image)
    assert predicted() == before
    until(http, IN_FLIGHT, 1)
    assert sample(http, "slimdial_predictions_waiting ") == 0
    assert requests(http, "5") == failed


def test_clients_that_dawdle_keep_nobody_waiting(http: httpx.Client) -> None:
    """Many that send a byte now and then: they hold a connection each, and no place in a queue."""
    with contextlib.ExitStack() as dawdling:
        clients = [dawdling.enter_context(connected(http)) for _ in range(100)]
        for number, client in enumerate(clients):
            path, kind, begin = UPLOADS[number % len(UPLOADS)]
            client.sendall(head(path, kind, 1000) + begin)
        until(http, IN_FLIGHT, 101)
        for _ in range(3):
            for client in clients:
                client.sendall(b" ")
            answer = http.post("/predict?budget=0.005", files={"image": encoded(picture())})
            assert answer.status_code == 200, answer.text
            assert http.get("/readyz").status_code == 200
        assert sample(http, "slimdial_predictions_waiting ") == 0
    until(http, IN_FLIGHT, 1)


def test_clients_that_send_a_byte_a_second_are_cut_off(models_root: Path, tmp_path: Path) -> None:
    """In the head of a request, and in the body of every kind."""
    environ = {**os.environ, "SLIMDIAL_UPLOAD_TIMEOUT_S": "2"}
    begun = [b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Padding: "]
    begun += [head(path, kind, 1000) + begin for path, kind, begin in UPLOADS]
    with (
        serving(["--models-root", str(models_root)], tmp_path, environ=environ) as process,
        httpx.Client(base_url=process.url, timeout=60) as http,
        contextlib.ExitStack() as open_,
    ):
        slow = [open_.enter_context(connected(http)) for _ in begun]
        for client, begin in zip(slow, begun, strict=True):
            client.sendall(begin)
        answers: dict[socket.socket, bytes] = {}
        while len(answers) < len(slow):
            waiting = [client for client in slow if client not in answers]
            answered, _, _ = select.select(waiting, [], [], 1.0)
            for client in waiting:
                if client in answered:
                    answers[client] = client.recv(1 << 16)
                else:
                    client.sendall(b"a")
        assert all(answer.startswith(b"HTTP/1.1 408 ") for answer in answers.values()), answers
        until(http, IN_FLIGHT, 1)
        assert requests(http, "408") == len(UPLOADS)
        assert http.get("/healthz").json()["status"] == "ok"

"""What a connection is held to, with real ones."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import httpx
import pytest

from service.settings import Settings
from tests.service.listening import Listening, listening
from tests.service.running import encoded, picture

pytestmark = pytest.mark.anyio

SHORT_S = 0.5


@pytest.fixture
async def served(settings: Settings) -> AsyncIterator[Listening]:
    hasty = settings.model_copy(
        update={"upload_timeout_s": SHORT_S, "max_connections": 4, "threads": 1, "max_queue": 0}
    )
    async with listening(hasty) as served:
        yield served


async def all_of(reader: asyncio.StreamReader) -> bytes:
    """What comes until the connection is closed, however it is."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while more := await reader.read(1 << 16):
            received += more
    return received


async def trickled(served: Listening, head: bytes, slow: bytes) -> bytes:
    """What is answered to a head, and to what comes a byte at a time until it is refused."""
    reader, writer = await served.connect()
    writer.write(head)
    answer = asyncio.create_task(all_of(reader))
    with contextlib.suppress(ConnectionError):
        for byte in slow:
            if answer.done():
                break
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.wait({answer}, timeout=SHORT_S / 10)
    received = await answer
    writer.close()
    return received


def refused(received: bytes, status: int) -> httpx.Response:
    """An answer from the wire, with everything that an answer has."""
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    assert first.split()[1] == str(status), received
    headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
    answer = httpx.Response(status, headers=headers, content=body)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-request-id"] == answer.json()["request_id"]
    assert answer.json()["status"] == status
    return answer


@pytest.mark.parametrize("path", ["/predict?budget=0.005", "/subnet", "/v2/models/tiny/infer"])
async def test_a_body_of_a_byte_now_and_then_is_cut_off(served: Listening, path: str) -> None:
    kind = "image/png" if "predict" in path else "application/json"
    lines = (f"POST {path} HTTP/1.1", "Host: x", f"Content-Type: {kind}", "Content-Length: 9000")
    received = await trickled(served, "\r\n".join((*lines, "", "")).encode(), b" " * 9000)
    assert "too slow" in refused(received, 408).json()["error"]


async def test_a_head_of_a_byte_now_and_then_is_cut_off(served: Listening) -> None:
    received = await trickled(served, b"GET /livez HTTP/1.1\r\nX-Padding: ", b"a" * 9000)
    assert "no request" in refused(received, 408).json()["error"]


async def test_a_second_request_may_not_be_slow_either(served: Listening) -> None:
    reader, writer = await served.connect()
    writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    await reader.readexactly(len(b'{"status":"alive"}'))
    writer.write(b"GET /livez HT")
    refused(await all_of(reader), 408)
    writer.close()


async def test_a_connection_that_says_nothing_is_closed(served: Listening) -> None:
    reader, writer = await served.connect()
    assert await all_of(reader) == b""
    writer.close()


async def asked(served: Listening, request: bytes) -> socket.socket:
    """A connection that takes in little, once an answer to this has begun to come."""
    loop, client = asyncio.get_running_loop(), socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    await loop.sock_connect(client, ("127.0.0.1", served.port))
    await loop.sock_sendall(client, request)
    assert await loop.sock_recv(client, 12) == b"HTTP/1.1 200"
    return client


IMAGE = encoded(picture(600, 500))
LARGE = (
    "POST /predict?budget=0.005 HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
    f"Accept: application/x-npz\r\nContent-Length: {len(IMAGE)}\r\n"
)
FILE = "GET /static-offline-docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    "request_",
    [
        f"{LARGE}\r\n".encode() + IMAGE,  # an answer of eight megabytes
        f"{LARGE}Connection: close\r\n\r\n".encode() + IMAGE,
        8 * FILE.encode(),  # several, and each in pieces
    ],
    ids=["kept open", "to be closed", "several"],
)
async def test_who_does_not_read_the_answer_is_cut_off(
    served: Listening, request_: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "service.connections"), contextlib.ExitStack() as clients:
        for _ in range(4):  # as many as may be; there is one place to predict, and no queue
            clients.enter_context(await asked(served, request_))
        async with asyncio.timeout(60):
            while [r.message for r in caplog.records] != 4 * ["cut off"]:
                await asyncio.sleep(0)
        async with httpx.AsyncClient(base_url=served.url, timeout=60) as http:
            assert (await http.get("/models")).status_code == 200


async def test_slow_clients_take_nobody_s_place(served: Listening) -> None:
    head = b"POST /predict?budget=0.005 HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
    slow = []
    for _ in range(3):  # there is one place, and no queue
        slow.append(await served.connect())
        slow[-1][1].write(head + b"Content-Length: 100\r\n\r\n")
    async with httpx.AsyncClient(base_url=served.url, timeout=60) as http:
        answer = await http.post(
            "/predict?budget=0.005",
            content=encoded(picture()),
            headers={"content-type": "image/png"},
        )
    assert answer.status_code == 200
    for reader, writer in slow:
        refused(await all_of(reader), 408)
        writer.close()


async def test_a_request_on_a_connection_too_many_is_told_to_come_again(served: Listening) -> None:
    async with contextlib.AsyncExitStack() as open_:
        clients = [
            await open_.enter_async_context(httpx.AsyncClient(base_url=served.url, timeout=60))
            for _ in range(5)
        ]
        answers = [await client.get("/models") for client in clients]
        assert [a.status_code for a in answers] == [200, 200, 200, 200, 503]
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert answers[-1].headers["connection"] == "close"
        assert "connections" in answers[-1].json()["error"]
        # Who watches the service must be able to see that it is alive, and why it is busy.
        for path in ("/livez", "/readyz", "/metrics"):
            assert (await clients[-1].get(path)).status_code == 200
        for left in (clients[0], clients[-1]):
            await left.aclose()
        again = httpx.AsyncClient(base_url=served.url, timeout=60)
        while (await again.get("/models")).status_code == 503:
            pass  # the connection that was closed is one less soon
        await again.aclose()


@pytest.mark.parametrize("size", [17_000, 200_000])
async def test_a_head_that_is_too_large_is_refused(served: Listening, size: int) -> None:
    for head in (
        b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Padding: " + b"a" * size,
        b"GET /livez?" + b"a" * size + b" HTTP/1.1\r\nHost: x\r\nConnection: close",
    ):
        reader, writer = await served.connect()
        writer.write(head + b"\r\n\r\n")
        assert "larger than" in refused(await all_of(reader), 431).json()["error"]
        writer.close()


CHUNKED = b"POST /subnet HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
JSON = b"Content-Type: application/json\r\n"


@pytest.mark.parametrize(
    "trailers",
    [b"a:\r\n" * 1_000_000, b"a" * 1_000_000, b"a:" + b"b" * 1_000_000],
    ids=["many", "a long name", "a long value"],
)
async def test_trailers_without_an_end_are_refused(served: Listening, trailers: bytes) -> None:
    reader, writer = await served.connect()
    writer.write(CHUNKED + JSON + b"\r\n1\r\n{\r\n0\r\n" + trailers)
    answer = refused(await all_of(reader), 431)
    assert answer.json()["error"].startswith("the trailers are larger than")
    writer.close()


async def test_a_head_without_an_end_is_refused_while_another_request_is_answered(
    served: Listening,
) -> None:
    reader, writer = await served.connect()
    body = b'{"budget": {"gmacs": 0.005}}'
    first = CHUNKED + JSON + b"\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    writer.write(first + b"GET /livez HTTP/1.1\r\n" + b"a:\r\n" * 1_000_000)
    assert "larger than" in refused(await all_of(reader), 431).json()["error"]
    writer.close()


async def test_trailers_are_no_headers(served: Listening) -> None:
    reader, writer = await served.connect()
    writer.write(CHUNKED + b"Connection: close\r\n\r\n2\r\n{}\r\n0\r\n" + JSON + b"\r\n")
    refused(await all_of(reader), 415)
    writer.close()


async def test_a_body_may_come_in_many_small_chunks(served: Listening) -> None:
    reader, writer = await served.connect()
    body = b'{"budget": {"gmacs": 0.005}}' + b" " * 20_000
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body)
    writer.write(CHUNKED + JSON + b"Connection: close\r\n\r\n" + chunks + b"0\r\n\r\n")
    assert (await all_of(reader)).startswith(b"HTTP/1.1 200")
    writer.close()


async def test_what_is_not_http_is_refused(served: Listening) -> None:
    for junk in (b"\x16\x03\x01\x02\x00\r\n\r\n", b"hello\r\n\r\n", b"GET / HTTP/2\r\n\r\n"):
        reader, writer = await served.connect()
        writer.write(junk)
        refused(await all_of(reader), 400)
        writer.close()

"""What a client meets when there is more to do than can be done."""

import asyncio
import base64
import contextlib
import io
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Literal

import httpx
import numpy as np
import pytest
from starlette.types import Message

from service.curve import CurveAsk, curve
from service.settings import Settings
from tests.service.running import Running, encoded, picture, running

pytestmark = pytest.mark.anyio

PNG = {"content-type": "image/png"}


@contextlib.contextmanager
def busy(service: Running) -> Iterator[threading.Event]:
    """All threads of predictions are busy until the event is set, or the block is left."""
    done = threading.Event()
    for _ in range(service.runtime.settings.threads):
        service.runtime.threads.predict.submit(done.wait, 60)
    try:
        yield done
    finally:
        done.set()


@contextlib.asynccontextmanager
async def small(settings: Settings, **changes: object) -> AsyncIterator[tuple[Running, str]]:
    """A service with one thread and a sub-network whose session is ready."""
    changed = settings.model_copy(update={"threads": 1, **changes})
    async with running(changed) as service:
        subnet_id = (await service.dial())["subnet_id"]
        assert (await predict(service, subnet_id)).status_code == 200
        yield service, subnet_id


async def predict(
    service: Running, subnet_id: str, seed: int = 0, timeout_ms: int | None = None
) -> httpx.Response:
    headers = PNG if timeout_ms is None else {**PNG, "X-Request-Timeout-Ms": str(timeout_ms)}
    return await service.http.post(
        "/predict",
        params={"subnet_id": subnet_id},
        content=encoded(picture(seed=seed)),
        headers=headers,
    )


async def until(condition: Callable[[], bool]) -> None:
    """Fails, rather than hangs, where it never comes true."""
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0)


async def until_waiting(service: Running, count: int) -> None:
    await until(lambda: service.runtime.predictions.waiting == count)


async def until_running(service: Running) -> None:
    await until(lambda: service.runtime.predictions.running > 0)


def is_problem(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert problem["status"] == status
    return problem


async def test_a_full_queue_is_429_and_says_when_to_come_again(settings: Settings) -> None:
    async with small(settings, max_queue=1) as (service, subnet_id):
        with busy(service):
            runs = asyncio.create_task(predict(service, subnet_id))
            await until_running(service)
            waits = asyncio.create_task(predict(service, subnet_id))
            await until_waiting(service, 1)
            assert await service.metric("slimdial_predictions_waiting") == 1
            refused = await predict(service, subnet_id)
            problem = is_problem(refused, 429)
            assert int(refused.headers["retry-after"]) == problem["retry_after_s"] >= 1
        # Those that were admitted are answered.
        assert {(await runs).status_code, (await waits).status_code} == {200}
        assert (await predict(service, subnet_id)).status_code == 200


async def test_a_deadline_that_passes_in_the_queue_is_504(settings: Settings) -> None:
    async with small(settings) as (service, subnet_id):
        name = "slimdial_inference_duration_seconds_count"
        before = await service.metric(name, model="tiny")
        with busy(service):
            runs = asyncio.create_task(predict(service, subnet_id))
            await until_running(service)
            late = await predict(service, subnet_id, timeout_ms=1)
            assert "0.001 s" in is_problem(late, 504)["error"]
            assert service.runtime.predictions.waiting == 0
        assert (await runs).status_code == 200
        # It was dropped, not run.
        assert await service.metric(name, model="tiny") == before + 1


async def test_the_service_s_own_deadline_is_the_longest(settings: Settings) -> None:
    async with small(settings) as (service, subnet_id):
        hasty = settings.model_copy(update={"request_timeout_s": 0.001})
        async with running(hasty) as other:
            with busy(other):
                is_problem(await predict(other, subnet_id), 504)
                is_problem(await predict(other, subnet_id, timeout_ms=60_000), 504)
        assert (await predict(service, subnet_id)).status_code == 200


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "soon", "1e3", "", "99999999999", "nan"])
async def test_a_deadline_that_is_none_is_refused(service: Running, value: str) -> None:
    headers = {"X-Request-Timeout-Ms": value}
    for path, body in (("/predict?budget=1", b""), ("/subnet", b"{}")):
        response = await service.http.post(path, content=body, headers=headers)
        assert "X-Request-Timeout-Ms" in is_problem(response, 422)["error"]


async def test_the_deadline_is_documented(service: Running) -> None:
    paths = (await service.http.get("/openapi.json")).json()["paths"]
    for operation in (
        paths["/predict"]["post"],
        paths["/subnet"]["post"],
        paths["/subnet/{subnet_id}/onnx"]["get"],
    ):
        (header,) = [p for p in operation["parameters"] if p["in"] == "header"]
        assert header["name"] == "X-Request-Timeout-Ms"
        assert header["description"]
        assert {"429", "503", "504"} <= set(operation["responses"])


async def test_a_client_that_leaves_is_not_predicted_for(settings: Settings) -> None:
    async with small(settings) as (service, subnet_id):
        name = "slimdial_inference_duration_seconds_count"
        before = await service.metric(name, model="tiny")
        with busy(service):
            runs = asyncio.create_task(predict(service, subnet_id))
            await until_running(service)
            left = asyncio.Event()
            gone = asyncio.create_task(raw_post(service, f"subnet_id={subnet_id}", left))
            await until_waiting(service, 1)
            left.set()
            await gone
            assert service.runtime.predictions.waiting == 0
        await runs
        assert await service.metric(name, model="tiny") == before + 1
        requests = "slimdial_http_requests_total"
        assert await service.metric(requests, method="POST", route="/predict", status="499") == 1


async def raw_post(service: Running, query: str, left: asyncio.Event) -> None:
    """A client that sends its picture, and leaves when the event is set."""
    messages: list[Message] = [{"type": "http.request", "body": encoded(picture())}]

    async def receive() -> Message:
        if messages:
            return messages.pop()
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(_: Message) -> None:
        pass

    transport = service.http._transport
    assert isinstance(transport, httpx.ASGITransport)
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/predict",
        "raw_path": b"/predict",
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"content-type", b"image/png"), (b"host", b"service")],
        "server": ("service", 80),
        "client": ("client", 1),
        "state": {},
    }
    await transport.app(scope, receive, send)


async def test_builds_that_wait_are_bounded_and_equal_ones_share_a_place(
    settings: Settings,
) -> None:
    limited = settings.model_copy(update={"max_queued_builds": 1})
    async with running(limited) as service:
        done = threading.Event()
        for _ in range(settings.max_builds + 1):
            service.runtime.threads.build.submit(done.wait, 60)
        try:
            body = {"budget": {"gmacs": service.gmacs(0.3)}}
            equal = [asyncio.create_task(service.http.post("/subnet", json=body)) for _ in range(9)]
            other = asyncio.create_task(service.dial(0.6))
            await until(lambda: service.runtime.subnets.waiting >= 1)
            body = {"budget": {"gmacs": service.gmacs(0.9)}}
            refused = await service.http.post("/subnet", json=body)
            assert int(refused.headers["retry-after"]) >= 1
            assert "wait already" in is_problem(refused, 429)["error"]
        finally:
            done.set()
        answers = [(await e).json() for e in equal]
        assert len({a["subnet_id"] for a in answers}) == 1
        assert (await other)["subnet_id"] != answers[0]["subnet_id"]
        assert await service.metric("slimdial_extract_duration_seconds_count") == 2


async def left(*requests: asyncio.Task[Any]) -> None:
    """The clients of these requests have left."""
    for request in requests:
        request.cancel()
    await asyncio.wait(requests)
    assert all(r.cancelled() for r in requests)


@pytest.mark.parametrize("full", ["searches", "builds"])
async def test_nothing_is_searched_or_built_for_those_who_left_while_they_waited(
    settings: Settings, full: Literal["searches", "builds"]
) -> None:
    async with running(settings) as service:
        subnets, done = service.runtime.subnets, asyncio.Event()
        holder = asyncio.create_task(getattr(subnets._building, full).run(done.wait))
        clients = [asyncio.create_task(service.dial(share)) for share in (0.2, 0.4, 0.4, 0.6)]
        await until(lambda: subnets.waiting == 3)
        await left(*clients)
        await until(lambda: subnets.waiting == 0)
        done.set()
        await holder
        await service.dial(0.8)
        searches = await service.metric("slimdial_search_duration_seconds_count")
        assert searches == (1 if full == "searches" else 4)
        assert await service.metric("slimdial_extract_duration_seconds_count") == 1


async def test_a_search_that_was_begun_keeps_its_place_though_its_client_has_left(
    service: Running,
) -> None:
    subnets, done = service.runtime.subnets, threading.Event()
    for _ in range(service.runtime.settings.max_builds + 1):
        service.runtime.threads.build.submit(done.wait, 60)
    try:
        begun = asyncio.create_task(curve(subnets, CurveAsk.model_validate({"points": 2})))
        await asyncio.sleep(0)
        waits = asyncio.create_task(service.dial())
        await until(lambda: subnets.waiting == 1)
        await left(begun)
        for _ in range(10):
            await asyncio.sleep(0)
        assert subnets.waiting == 1
    finally:
        done.set()
    await waits


async def test_waiting_predictions_of_a_subnetwork_run_together_and_are_told_apart(
    settings: Settings,
) -> None:
    async with small(settings, batching="on", max_batch=4) as (service, subnet_id):
        alone = [(await predict(service, subnet_id, i)).json()["outputs"] for i in range(6)]
        done = threading.Event()
        service.runtime.threads.accelerate.submit(done.wait, 60)
        tasks = [asyncio.create_task(predict(service, subnet_id, i)) for i in range(6)]
        await until(lambda: service.runtime.predictions.lanes._batched.waiting >= 5)
        done.set()
        together = [(await task).json()["outputs"] for task in tasks]
        for one, two in zip(alone, together, strict=True):
            assert one["animals"]["probabilities"] == pytest.approx(
                two["animals"]["probabilities"], abs=1e-5
            )
        assert len({str(a["animals"]) for a in alone}) == 6
        # One found the slot free, four ran together, one was left.
        assert await service.metric("slimdial_batch_size_bucket", le="1.0") == 1 + 6 + 2
        assert await service.metric("slimdial_batch_size_bucket", le="4.0") == 1 + 6 + 3


async def test_binary_ways_cost_no_base64(
    service: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    subnet_id = (await service.dial())["subnet_id"]

    def refuse(*_: object, **__: object) -> bytes:
        raise AssertionError("base64")

    for name in ("b64decode", "b64encode", "encodebytes", "decodebytes"):
        monkeypatch.setattr(base64, name, refuse)
    image = encoded(picture())
    query = {"subnet_id": subnet_id}
    ways: list[dict[str, Any]] = [
        {"params": query, "content": image, "headers": PNG},
        {"files": {"image": ("x.png", image)}, "data": query, "headers": {}},
    ]
    for way in ways:
        for accept, more in (("application/x-npz", {}), ("image/png", {"task": "depth"})):
            headers = {**way["headers"], "accept": accept}
            sent = {**way, "headers": headers, "params": {**way.get("params", {}), **more}}
            response = await service.http.post("/predict", **sent)
            assert response.status_code == 200, response.text
            assert response.headers["content-type"] == accept
            if accept == "application/x-npz":
                with np.load(io.BytesIO(response.content), allow_pickle=False) as arrays:
                    assert arrays["depth"].dtype == np.float32

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from service.oip.reading import HEADER, Bounds, Request, read
from service.settings import Settings
from tests.service.running import Running, running
from tests.tiny import publish_tiny

pytestmark = pytest.mark.anyio


def images(count: int = 1, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random((count, 3, 32, 32), dtype=np.float32)


async def infer(
    service: Running, x: NDArray[np.float32], path: str = "tiny", **more: object
) -> httpx.Response:
    """An inference with bytes both ways."""
    tensor = {
        "name": "image",
        "shape": list(x.shape),
        "datatype": "FP32",
        "parameters": {"binary_data_size": x.nbytes},
    }
    body: dict[str, Any] = {"inputs": [tensor], "parameters": {"binary_data_output": True}}
    body["parameters"] |= more.pop("parameters", {})
    head = json.dumps(body | more).encode()
    return await service.http.post(
        f"/v2/models/{path}/infer", content=head + x.tobytes(), headers={HEADER: str(len(head))}
    )


def arrays(answer: httpx.Response) -> dict[str, NDArray[np.float32]]:
    assert answer.status_code == 200, answer.content[:500]
    length = int(answer.headers[HEADER])
    found, tail = {}, answer.content[length:]
    for output in json.loads(answer.content[:length])["outputs"]:
        size = output["parameters"]["binary_data_size"]
        found[output["name"]] = np.frombuffer(tail[:size], "<f4").reshape(output["shape"])
        tail = tail[size:]
    assert not tail
    return found


@contextlib.asynccontextmanager
async def changed(settings: Settings, **changes: object) -> AsyncIterator[Running]:
    async with running(settings.model_copy(update=changes)) as service:
        yield service


def is_problem(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status
    assert "/" not in answer.json()["error"]
    return str(answer.json()["error"])


async def test_a_batch_gives_what_its_images_give_alone(service: Running) -> None:
    x = images(5)
    together = arrays(await infer(service, x))
    for i in range(5):
        alone = arrays(await infer(service, x[i : i + 1]))
        for name, values in alone.items():
            np.testing.assert_allclose(values[0], together[name][i], atol=1e-5)


async def test_batches_of_waiting_requests_are_told_apart(settings: Settings) -> None:
    sizes = (1, 1, 2, 1, 2, 1)
    async with changed(settings, batching="on", max_batch=4) as service:
        sent = [images(n, seed) for seed, n in enumerate(sizes)]
        alone = [arrays(await infer(service, x)) for x in sent]
        done = threading.Event()
        service.runtime.threads.accelerate.submit(done.wait, 60)
        tasks = [asyncio.create_task(infer(service, x)) for x in sent]
        while service.runtime.predictions.lanes._batched.waiting < 5:
            await asyncio.sleep(0)
        done.set()
        for task, expected in zip(tasks, alone, strict=True):
            for name, values in arrays(await task).items():
                np.testing.assert_allclose(values, expected[name], atol=1e-5)
        # Requests of several images are batches already.
        assert await service.metric("slimdial_batch_size_bucket", le="4.0") == await service.metric(
            "slimdial_batch_size_count"
        )


async def test_it_waits_in_the_queue_of_predictions_and_is_turned_away_with_them(
    settings: Settings,
) -> None:
    async with changed(settings, threads=1, max_queue=1) as service:
        version = (await service.dial())["subnet_id"]
        path = f"tiny/versions/{version}"
        arrays(await infer(service, images(), path))
        done = threading.Event()
        service.runtime.threads.predict.submit(done.wait, 60)
        try:
            first = asyncio.create_task(infer(service, images(), path))
            while not service.runtime.predictions.running:
                await asyncio.sleep(0)
            late = asyncio.create_task(infer(service, images(), path, parameters={"timeout": 1000}))
            while not service.runtime.predictions.waiting:
                await asyncio.sleep(0)
            refused = await infer(service, images(), path)
            assert "wait already" in is_problem(refused, 429)
            assert int(refused.headers["retry-after"]) >= 1
            is_problem(await late, 504)
        finally:
            done.set()
        arrays(await first)
        (counted,) = (await service.http.get("/v2/models/tiny/stats")).json()["model_stats"]
        assert counted["inference_stats"]["success"]["count"] == 2
        assert counted["inference_stats"]["fail"]["count"] == 2


async def test_limits_are_settings(settings: Settings) -> None:
    async with changed(settings, max_tensor_batch=2, max_output_bytes=50_000) as service:
        assert "1 to 2" in is_problem(await infer(service, images(3)), 400)
        assert "50000 are allowed" in is_problem(await infer(service, images(2)), 400)
        fewer = await infer(service, images(2), outputs=[{"name": "animals"}])
        assert list(arrays(fewer)) == ["animals"]
    async with changed(settings, max_body_bytes=10_000) as service:
        is_problem(await infer(service, images()), 413)


async def test_a_version_of_another_model_is_unknown(settings: Settings) -> None:
    root = settings.data_dir.parent / "models"
    publish_tiny(root, "a", seed=1)
    publish_tiny(root, "b", seed=2)
    async with changed(settings, models_root=root) as service:
        version = (await service.dial(model="a"))["subnet_id"]
        assert (await service.http.get(f"/v2/models/a/versions/{version}/ready")).is_success
        for path in ("", "/ready", "/config", "/stats"):
            answer = await service.http.get(f"/v2/models/b/versions/{version}{path}")
            is_problem(answer, 404)
        is_problem(await infer(service, images(), f"b/versions/{version}"), 404)
        await service.http.post("/v2/repository/models/a/unload")
        arrays(await infer(service, images(), "b"))
        is_problem(await infer(service, images(), "a"), 503)


async def test_one_of_several_workers_does_not_unload(settings: Settings) -> None:
    async with changed(settings, workers=2, threads=1) as service:
        loaded = await service.http.post("/v2/repository/models/tiny/load")
        assert loaded.json()["state"] == "READY"
        answer = await service.http.post("/v2/repository/models/tiny/unload")
        assert "2 workers" in is_problem(answer, 400)


async def test_a_version_is_unloaded_alone(service: Running) -> None:
    def load(gmacs: float) -> dict[str, Any]:
        return {"parameters": {"gmacs": gmacs}}

    repository = "/v2/repository/models/tiny"
    small, large = [
        (await service.http.post(f"{repository}/load", json=load(service.gmacs(s)))).json()
        for s in (0.2, 0.8)
    ]
    body = {"parameters": {"version": small["number"]}}
    assert (await service.http.post(f"{repository}/unload", json=body)).is_success
    index = (await service.http.post("/v2/repository/index")).json()
    assert [entry["version"] for entry in index] == [large["version"]]
    is_problem(await service.http.post(f"{repository}/unload", json=body), 404)
    # It is a version nevertheless: by its id and, in the cache, by its number.
    for version in (small["version"], small["number"]):
        assert (await service.http.get(f"/v2/models/tiny/versions/{version}")).is_success


@pytest.mark.parametrize("parameters", [{"versoin": "1"}, {"version": True}, {"version": 1.5}])
async def test_a_mistake_in_an_unload_unloads_nothing(
    service: Running, parameters: dict[str, Any]
) -> None:
    repository = "/v2/repository/models/tiny"
    await service.http.post(f"{repository}/load")
    answer = await service.http.post(f"{repository}/unload", json={"parameters": parameters})
    assert next(iter(parameters)) in is_problem(answer, 400)
    assert (await service.http.get("/v2/models/tiny/ready")).is_success
    assert len(service.runtime.sessions) == 1


@pytest.mark.parametrize("header", [True, False])
async def test_long_json_is_parsed_where_it_holds_nobody_up(
    service: Running, header: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed_in: list[threading.Thread] = []

    def seen(body: bytes, json_bytes: int, bounds: Bounds) -> Request:
        parsed_in.append(threading.current_thread())
        return read(body, json_bytes, bounds)

    monkeypatch.setattr("service.routes.oip.read", seen)
    grey = {"name": "image", "shape": [1, 3, 32, 32], "datatype": "FP32", "data": [0.5] * 3072}
    body = json.dumps({"inputs": [grey]}).encode()
    for content, elsewhere in ((body, False), (body + b" " * (1 << 16), True)):
        headers = {HEADER: str(len(content))} if header else {}
        answer = await service.http.post("/v2/models/tiny/infer", content=content, headers=headers)
        assert answer.is_success, answer.text
        assert (parsed_in.pop() is not threading.main_thread()) == elsewhere


async def test_a_service_that_leaves_is_alive_and_not_ready(service: Running) -> None:
    service.runtime.draining = True
    assert (await service.http.get("/v2/health/live")).status_code == 200
    is_problem(await service.http.get("/v2/health/ready"), 503)
    arrays(await infer(service, images()))
    service.runtime.refusing = True
    assert (await service.http.get("/v2/health/live")).status_code == 200
    is_problem(await infer(service, images()), 503)


@pytest.mark.parametrize(
    "body",
    [
        b'{"inputs":[{"name":"image","shape":[1,3,32,32],"datatype":"FP32","data":'
        + b"[" * depth
        + b"]" * depth
        + b"}]}"
        for depth in (1, 33, 100, 5_000)
    ]
    + [b"", b"{}", b"\xff", b'{"inputs":[{}]}', b'{"inputs":1e999}', b"null", b'{"id":7}'],
)
async def test_hostile_bodies_are_refused(service: Running, body: bytes) -> None:
    for headers in ({}, {HEADER: str(len(body))}, {HEADER: "1"}, {HEADER: "9" * 11}):
        answer = await service.http.post("/v2/models/tiny/infer", content=body, headers=headers)
        is_problem(answer, 400)
    for path in ("index", "models/tiny/load", "models/tiny/unload"):
        answer = await service.http.post(f"/v2/repository/{path}", content=body)
        assert answer.status_code in ((200,) if body in (b"", b"{}") else (400, 413))

import asyncio
import gc
import threading
from collections.abc import AsyncIterator

import numpy as np
import onnx
import onnxruntime as ort  # type: ignore[import-untyped]
import pytest

from service.schemas import Dial
from service.settings import Settings
from tests.service.running import Running, running

pytestmark = pytest.mark.anyio


async def test_a_dial_is_answered_with_a_subnetwork_that_fits(service: Running) -> None:
    answer = await service.dial(0.5, preference={"depth": 1.0, "semseg": 0.2})
    assert set(answer) >= {
        "subnet_id",
        "model",
        "version",
        "gmacs",
        "budget_gmacs",
        "parameters",
        "size_bytes",
        "widths",
        "predicted",
        "cache",
        "timings_ms",
        "links",
    }
    assert answer["gmacs"] <= answer["budget_gmacs"] == service.gmacs(0.5)
    assert answer["cache"] == "miss"
    assert set(answer["widths"]) == {"encoder", "decoders"}
    assert set(answer["predicted"]) == set(service.model.space.tasks)
    assert set(answer["timings_ms"]) == {"search", "extract", "calibrate", "store"}
    assert all(ms > 0 for ms in answer["timings_ms"].values())
    assert set(answer["links"]) == {"self", "onnx", "predict", "latency"}


async def test_the_same_dial_is_a_hit_with_the_same_id(service: Running) -> None:
    first = await service.dial(0.5, preference={"depth": 1.0, "semseg": 0.2})
    again = await service.dial(0.5, preference={"semseg": 0.2, "depth": 1.0, "edges": 0.0})
    assert again["cache"] == "hit"
    assert set(again["timings_ms"].values()) == {0.0}
    changing = {"cache", "timings_ms"}
    assert {k: v for k, v in again.items() if k not in changing} == {
        k: v for k, v in first.items() if k not in changing
    }
    assert await service.metric("slimdial_cache_hits_total", level="request") == 1
    assert await service.metric("slimdial_cache_misses_total", level="request") == 1


async def test_another_dial_that_leads_to_the_same_subnetwork_builds_nothing(
    service: Running,
) -> None:
    first = await service.dial(1.0)
    beyond = await service.dial(2.0)
    assert beyond["subnet_id"] == first["subnet_id"]
    assert beyond["cache"] == "hit"
    assert beyond["timings_ms"]["search"] > 0
    assert await service.metric("slimdial_extract_duration_seconds_count") == 1


async def test_twenty_equal_dials_at_once_are_one_extraction(service: Running) -> None:
    answers = await asyncio.gather(*(service.dial(0.5) for _ in range(20)))
    assert len({a["subnet_id"] for a in answers}) == 1
    for stage in ("search", "extract", "calibrate", "store"):
        assert await service.metric(f"slimdial_{stage}_duration_seconds_count") == 1


async def test_a_remembered_subnetwork_that_is_gone_and_is_not_chosen_again_is_replaced(
    service: Running,
) -> None:
    dial = Dial.model_validate({"budget": {"gmacs": service.gmacs(0.5)}})
    model, request = service.runtime.subnets.request_of(dial)
    await service.runtime.cache.link(request.digest(model), "0" * 32)
    first = await service.dial(0.5)
    assert (first["cache"], (await service.dial(0.5))["cache"]) == ("miss", "hit")
    assert (await service.http.get(first["links"]["self"])).json()["subnet_id"] != "0" * 32
    for stage in ("search", "extract"):
        assert await service.metric(f"slimdial_{stage}_duration_seconds_count") == 1


async def test_fewer_tasks_are_fewer_outputs_and_less_cost(service: Running) -> None:
    answer = await service.dial(1.0, tasks=["depth"])
    assert answer["tasks"] == ["depth"]
    assert list(answer["widths"]["decoders"]) == ["depth"]
    assert answer["gmacs"] < (await service.dial(1.0))["gmacs"]


async def test_a_subnetwork_can_be_looked_at_again(service: Running) -> None:
    dialled = await service.dial()
    found = (await service.http.get(dialled["links"]["self"])).json()
    assert found == {k: dialled[k] for k in found}


async def test_the_file_runs_and_is_what_its_description_says(service: Running) -> None:
    dialled = await service.dial(0.3, tasks=["depth", "animals"])
    response = await service.http.get(dialled["links"]["onnx"])
    assert response.headers["content-type"] == "application/octet-stream"
    name = f"tiny-1-{dialled['subnet_id']}.onnx"
    assert response.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert len(response.content) == dialled["size_bytes"]
    onnx.checker.check_model(response.content)
    session = ort.InferenceSession(response.content, providers=["CPUExecutionProvider"])
    batch = np.zeros((2, 3, 32, 32), np.float32)
    depth, animals = session.run(["depth", "animals"], {"image": batch})
    assert depth.shape[:2] == (2, 1)
    assert animals.shape == (2, 3)


async def test_a_file_that_the_client_has_is_not_sent_again(service: Running) -> None:
    link = (await service.dial())["links"]["onnx"]
    etag = (await service.http.get(link)).headers["etag"]
    assert etag.startswith('"')
    for sent in (etag, f'"other", {etag}', f"W/{etag}", "*"):
        response = await service.http.get(link, headers={"If-None-Match": sent})
        assert (response.status_code, response.content) == (304, b"")
        assert response.headers["etag"] == etag
    response = await service.http.get(link, headers={"If-None-Match": '"other"'})
    assert response.status_code == 200


async def test_size_and_etag_of_a_file_are_told_without_it(service: Running) -> None:
    dialled = await service.dial()
    link = dialled["links"]["onnx"]
    whole = await service.http.get(link)
    await service.runtime.cache.entries.redis.delete(f"slimdial:1:onnx:{dialled['sha256']}")
    head = await service.http.head(link)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "content-type", "content-disposition", "etag"):
        assert head.headers[name] == whole.headers[name]
    assert head.headers["content-length"] == str(len(whole.content))
    assert await service.metric("slimdial_extract_duration_seconds_count") == 1  # as it was


async def test_a_lost_file_is_built_again_from_its_description(service: Running) -> None:
    dialled = await service.dial(0.4, tasks=["edges", "animals"])
    link = dialled["links"]["onnx"]
    before = (await service.http.get(link)).content
    redis = service.runtime.cache.entries.redis
    await redis.delete(f"slimdial:1:onnx:{dialled['sha256']}")
    assert (await service.http.get(link)).content == before


@pytest.mark.parametrize("chunk", [b"a", b"a" * 2000], ids=["slow", "too large"])
async def test_a_body_that_nobody_asked_for_is_no_error(settings: Settings, chunk: bytes) -> None:
    limits = {"upload_timeout_s": 0.05, "max_body_bytes": 1000}
    taken, built = asyncio.Event(), threading.Event()

    async def body() -> AsyncIterator[bytes]:
        taken.set()
        yield chunk
        await asyncio.Event().wait()

    async with running(settings.model_copy(update=limits)) as service:
        dialled = await service.dial()
        await service.runtime.cache.entries.redis.delete(f"slimdial:1:onnx:{dialled['sha256']}")
        for _ in range(settings.max_builds + 1):
            service.runtime.threads.build.submit(built.wait, 60)
        link = dialled["links"]["onnx"]
        download = asyncio.create_task(service.http.request("GET", link, content=body()))
        await taken.wait()
        await asyncio.sleep(2 * limits["upload_timeout_s"])
        built.set()
        assert (await download).status_code == 200
    gc.collect()  # an exception that nobody retrieved would fail the test here


async def test_a_corrupt_file_is_counted_and_built_again(service: Running) -> None:
    dialled = await service.dial()
    link = dialled["links"]["onnx"]
    before = (await service.http.get(link)).content
    redis = service.runtime.cache.entries.redis
    await redis.setrange(f"slimdial:1:onnx:{dialled['sha256']}", 1000, b"damage")
    assert (await service.http.get(link)).content == before
    assert await service.metric("slimdial_cache_corrupt_total", level="subnet") == 1
    assert (await service.dial())["cache"] == "hit"


async def test_a_budget_below_the_smallest_is_refused_with_the_feasible_range(
    service: Running,
) -> None:
    response = await service.http.post("/subnet", json={"budget": {"gmacs": 1e-6}})
    assert response.status_code == 422
    problem = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["feasible"]["min_gmacs"] == pytest.approx(service.gmacs(0))
    assert problem["feasible"]["max_gmacs"] == pytest.approx(service.gmacs(1))
    for edge in problem["feasible"].values():
        again = await service.http.post("/subnet", json={"budget": {"gmacs": edge}})
        assert again.status_code == 200


@pytest.mark.parametrize("name", ["0" * 32, "x", "%2e%2e", "1" * 500, "a%0A"])
@pytest.mark.parametrize("tail", ["", "/onnx"])
async def test_an_unknown_subnetwork_is_not_found(service: Running, name: str, tail: str) -> None:
    response = await service.http.get(f"/subnet/{name}{tail}")
    assert response.status_code == 404
    assert response.json()["error"]


async def test_the_paper_s_search_can_be_asked_for(service: Running) -> None:
    ecmt = await service.dial(0.5, search="ecmt")
    evolution = await service.dial(0.5)
    assert ecmt["gmacs"] <= ecmt["budget_gmacs"]
    assert await service.metric("slimdial_search_duration_seconds_count") == 2
    assert evolution["cache"] in ("hit", "miss")

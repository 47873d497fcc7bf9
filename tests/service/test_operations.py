import asyncio
import re
import time

import httpx
import pytest
from fastapi import FastAPI

from model_store.published import ModelError
from service.app import create_app
from service.settings import Settings
from tests.service.running import Running, encoded, picture, running
from tests.tiny import publish_tiny

pytestmark = pytest.mark.anyio


async def test_models_are_listed_and_described(service: Running) -> None:
    (listed,) = (await service.http.get("/models")).json()["models"]
    assert listed["name"] == "tiny"
    assert listed["version"] == "1"
    assert listed["method"] == "ecmt"
    model = (await service.http.get(listed["links"]["self"])).json()
    kinds = {t["name"]: t["kind"] for t in model["tasks"]}
    assert kinds == {t.name: t.kind for t in service.model.manifest.tasks}
    low, high = model["budget"]["min_gmacs"], model["budget"]["max_gmacs"]
    assert (low, high) == (service.gmacs(0), service.gmacs(1))
    assert model["widths"]["encoder"]["stem"] == [0.25, 0.5, 0.75, 1.0]
    assert set(model["widths"]["decoders"]) == set(kinds)
    assert model["report"] == service.model.report


async def test_a_healthy_service_says_so(service: Running) -> None:
    for path in ("/livez", "/readyz", "/healthz"):
        assert (await service.http.get(path)).status_code == 200
    health = (await service.http.get("/healthz")).json()
    assert health["status"] == "ok"
    assert health["models"] == {"tiny": "1"}
    assert health["redis"] == {"up": True, "embedded": True, "writable": True}
    assert health["provider"]["name"] in ("CPUExecutionProvider", "CUDAExecutionProvider")
    assert health["provider"]["reason"]


async def test_a_draining_service_is_alive_and_not_ready(service: Running) -> None:
    service.runtime.draining = True
    assert (await service.http.get("/livez")).status_code == 200
    response = await service.http.get("/readyz")
    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"
    assert (await service.dial())["cache"] == "miss"


async def test_before_its_start_a_service_is_not_ready(settings: Settings) -> None:
    app: FastAPI = create_app(settings)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as http:
        assert (await http.get("/readyz")).status_code == 503
        assert (await http.get("/livez")).status_code == 200
        assert (await http.post("/subnet", json={})).status_code == 503


async def test_metrics_count_requests_by_route_and_status(service: Running) -> None:
    await service.http.get("/models/tiny")
    await service.http.get("/models/a")
    await service.http.get("/models/b")
    await service.http.get("/nowhere/at/all")
    name = "slimdial_http_requests_total"
    route = "/models/{name}"
    assert await service.metric(name, method="GET", route=route, status="200") == 1
    assert await service.metric(name, method="GET", route=route, status="404") == 2
    assert await service.metric(name, method="GET", route="(none)", status="404") == 1
    provider = service.runtime.device.provider
    assert await service.metric("slimdial_execution_provider_info", provider=provider) == 1


async def test_metrics_tell_what_is_dialled_and_what_is_served(service: Running) -> None:
    gmacs = (await service.dial(0.5))["gmacs"]
    await service.http.post("/subnet", json={"budget": {"fraction": 0.9}})
    assert await service.metric("slimdial_dials_total", budget="gmacs", model="tiny") == 1
    assert await service.metric("slimdial_dials_total", budget="fraction", model="tiny") == 1
    assert await service.metric("slimdial_inference_gmacs_count", model="tiny") == 0
    content = encoded(picture())
    for _ in range(3):
        response = await service.http.post(
            "/predict",
            params={"budget": service.gmacs(0.5)},
            content=content,
            headers={"content-type": "image/png"},
        )
        assert response.status_code == 200, response.text
    assert await service.metric("slimdial_inference_gmacs_count", model="tiny") == 3
    total = await service.metric("slimdial_inference_gmacs_sum", model="tiny")
    assert total == pytest.approx(3 * gmacs)


async def test_metrics_tell_models_limits_and_when_it_started(service: Running) -> None:
    assert await service.metric("slimdial_models", state="served") == 1
    assert await service.metric("slimdial_models", state="refused") == 0
    limit = service.runtime.settings.max_queue
    assert await service.metric("slimdial_predictions_waiting_limit") == limit
    assert 0 < time.time() - await service.metric("slimdial_start_time_seconds") < 3600


async def test_metrics_have_base_units_and_no_unbounded_labels(service: Running) -> None:
    subnet_id = (await service.dial())["subnet_id"]
    for path in (f"/subnet/{subnet_id}", f"/subnet/{subnet_id}/onnx", "/subnet/other"):
        await service.http.get(path)
    response = await service.http.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    assert subnet_id not in response.text
    names = set(re.findall(r"^# TYPE (slimdial_\w+)", response.text, re.MULTILINE))
    assert not {n for n in names if re.search("_(ms|milliseconds|kb|mb)$", n)}
    stages = ("search", "extract", "calibrate", "store", "http_request", "inference")
    assert {f"slimdial_{s}_duration_seconds" for s in stages} <= names


async def test_two_apps_in_a_process_count_for_themselves(service: Running) -> None:
    async with running(service.runtime.settings) as other:
        await other.dial()
        assert await other.metric("slimdial_extract_duration_seconds_count") == 1
    assert await service.metric("slimdial_extract_duration_seconds_count") == 0


async def test_the_documentation_works_without_the_internet(service: Running) -> None:
    page = (await service.http.get("/docs")).text
    links = re.findall(r'(?:src|href|url)[=:] ?["\']([^"\']+)', page)
    assert links
    assert not [link for link in links if link.startswith(("http:", "https:", "//"))]
    for link in links:
        assert (await service.http.get(link)).status_code == 200


async def test_every_reference_of_the_openapi_document_resolves(service: Running) -> None:
    response = await service.http.get("/openapi.json")
    document = response.json()
    for reference in set(re.findall(r'"\$ref": ?"#/([^"]+)"', response.text)):
        found = document
        for part in reference.split("/"):
            found = found[part]
    assert {"/subnet", "/subnet/{subnet_id}", "/subnet/{subnet_id}/onnx"} <= set(document["paths"])
    assert {"/models", "/models/{name}", "/predict", "/metrics"} <= set(document["paths"])


async def test_a_model_that_cannot_be_opened_is_reported_and_the_others_are_served(
    settings: Settings,
) -> None:
    root = settings.data_dir.parent / "models"
    publish_tiny(root, "good")
    (publish_tiny(root, "bad") / "supernet.onnx").write_bytes(b"damage")
    async with running(settings.model_copy(update={"models_root": root})) as service:
        health = (await service.http.get("/healthz")).json()
        assert health["status"] == "degraded"
        assert health["models"] == {"good": "1"}
        assert "supernet.onnx" in health["refused_models"]["bad"]
        assert (await service.dial())["model"] == "good"


async def test_a_service_without_any_model_does_not_start(settings: Settings) -> None:
    empty = settings.model_copy(update={"models_root": settings.data_dir.parent / "none"})
    with pytest.raises(ModelError, match="no published model"):
        async with running(empty):
            pass


async def test_the_default_model_can_be_chosen(settings: Settings) -> None:
    root = settings.data_dir.parent / "models"
    for name in ("a", "b"):
        publish_tiny(root, name)
    chosen = settings.model_copy(update={"models_root": root, "default_model": "b"})
    async with running(chosen) as service:
        assert (await service.dial())["model"] == "b"
        assert (await service.dial(model="a"))["model"] == "a"
        listed = (await service.http.get("/models")).json()["models"]
        assert {m["name"]: m["default"] for m in listed} == {"a": False, "b": True}
    with pytest.raises(ValueError, match="default model"):
        async with running(chosen.model_copy(update={"default_model": "c"})):
            pass


async def test_predictions_and_dials_at_once(service: Running) -> None:
    ids = [(await service.dial(share))["subnet_id"] for share in (0.0, 0.5, 1.0)]

    async def predict(subnet_id: str, seed: int) -> str:
        response = await service.http.post(
            "/predict",
            params={"subnet_id": subnet_id},
            content=encoded(picture(seed=seed)),
            headers={"content-type": "image/png"},
        )
        assert response.status_code == 200
        found: str = response.json()["outputs"]["depth"]["data"]
        return found

    jobs = [(subnet_id, seed) for subnet_id in ids for seed in range(3)]
    alone = [await predict(*job) for job in jobs]
    assert await asyncio.gather(*(predict(*job) for job in jobs)) == alone

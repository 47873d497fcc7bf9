"""Examples, what is measured on them, curves and latencies, over HTTP."""

import base64
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from model_store.quality import METRICS, quality
from service.settings import Settings
from tests.service.running import Running, encoded, picture, running
from tests.tiny_examples import publish_tiny_with_examples, tiny_truth
from tests.tiny_network import TASKS

pytestmark = pytest.mark.anyio


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    publish_tiny_with_examples(tmp_path / "models")
    settings = Settings(models_root=tmp_path / "models", data_dir=tmp_path / "data", threads=2)
    async with running(settings) as service:
        yield service


async def get(service: Running, path: str) -> dict[str, Any]:
    response = await service.http.get(path)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def test_examples_are_listed_and_linked(service: Running) -> None:
    listed = (await get(service, "/models/tiny/examples"))["examples"]
    assert [e["name"] for e in listed] == ["0", "1"]
    assert (await get(service, "/models"))["models"][0]["examples"] == 2
    for example in listed:
        assert set(example["truth"]) == {t.name for t in TASKS}
        response = await service.http.get(example["links"]["picture"])
        assert response.headers["content-type"] == "image/png"
        with Image.open(io.BytesIO(response.content)) as found:
            assert found.size == (32, 32)


async def test_ground_truth_comes_as_predictions_do(service: Running) -> None:
    example = await get(service, "/models/tiny/examples/1")
    response = await service.http.post(
        "/predict", json={"example": "1", "budget": {"gmacs": service.gmacs(0.5)}}
    )
    outputs, truth = response.json()["outputs"], tiny_truth(1)
    changing = {"data", "probabilities"}
    for task, found in example["truth"].items():
        assert found.keys() == outputs[task].keys()
        for member in found.keys() - changing:
            assert found[member] == outputs[task][member]
    assert example["truth"]["animals"]["probabilities"] == [0, 1, 0]
    with Image.open(io.BytesIO(base64.b64decode(example["truth"]["depth"]["data"]))) as png:
        np.testing.assert_allclose(
            np.asarray(png) * 0.001, truth["depth"].astype(np.float32), atol=0.0006
        )


async def test_a_prediction_of_an_example_is_measured(service: Running) -> None:
    dial = {"budget": {"gmacs": service.gmacs(0.5)}, "preference": {"depth": 1.0}}
    measured = (await service.http.post("/predict", json={"example": "0", **dial})).json()
    content = (await service.http.get("/models/tiny/examples/0/picture")).content
    arrays = await service.http.post(
        "/predict",
        content=content,
        params={"subnet_id": measured["subnet_id"]},
        headers={"content-type": "image/png", "accept": "application/x-npz"},
    )
    truth = tiny_truth(0)
    truth["normals"] = truth["normals"].transpose(1, 2, 0)
    with np.load(io.BytesIO(arrays.content)) as predicted:
        for task in TASKS:
            expected = quality(task.kind, predicted[task.name], truth[task.name])
            assert measured["measured"][task.name] == {
                "metric": METRICS[task.kind],
                "value": pytest.approx(expected),
            }


async def test_only_examples_are_measured(service: Running) -> None:
    image = base64.b64encode(encoded(picture())).decode()
    budget = {"gmacs": service.gmacs(0.5)}
    response = await service.http.post("/predict", json={"image": image, "budget": budget})
    assert "measured" not in response.json()
    for both in ({"image": image, "example": "0"}, {}):
        response = await service.http.post("/predict", json={"budget": budget, **both})
        assert response.status_code == 422
        assert "image and example" in response.json()["detail"]


async def test_an_unknown_example_is_not_found(service: Running) -> None:
    for path in ("/models/tiny/examples/9", "/models/tiny/examples/9/picture"):
        response = await service.http.get(path)
        assert response.status_code == 404
        assert "['0', '1']" in response.json()["detail"]
    body = {"example": "9", "budget": {"gmacs": service.gmacs(0.5)}}
    assert (await service.http.post("/predict", json=body)).status_code == 404


async def test_every_kind_of_budget_has_its_range(service: Running) -> None:
    budgets = (await get(service, "/models/tiny"))["budgets"]
    assert set(budgets) == {"gmacs", "fraction", "parameters", "size_bytes"}
    assert budgets["fraction"]["max"] == 1.0
    for kind, range_ in budgets.items():
        assert 0 < range_["min"] < range_["max"]
        whole = kind in ("parameters", "size_bytes")
        for edge in (range_["min"], range_["max"]):
            budget = {kind: round(edge) if whole else edge}
            assert (await service.http.post("/subnet", json={"budget": budget})).status_code == 200


@pytest.mark.parametrize("kind", ["gmacs", "size_bytes"])
async def test_a_curve_is_what_the_dials_would_choose(service: Running, kind: str) -> None:
    wish = {"preference": {"depth": 1.0}, "tasks": ["depth", "animals"]}
    response = await service.http.post("/curve", json={**wish, "kind": kind, "points": 3})
    assert response.status_code == 200, response.text
    points = response.json()["points"]
    assert len(points) == 3
    for point in points:
        assert point["cost"] <= point["budget"]
        budget = {kind: int(point["budget"]) if kind == "size_bytes" else point["budget"]}
        dialled = (await service.http.post("/subnet", json={**wish, "budget": budget})).json()
        for member in ("subnet_id", "gmacs", "predicted"):
            assert dialled[member] == point[member]


async def test_a_curve_builds_nothing(service: Running) -> None:
    await service.http.post("/curve", json={"points": 2})
    assert await service.metric("slimdial_search_duration_seconds_count") == 2
    assert await service.metric("slimdial_extract_duration_seconds_count") == 0


async def test_a_curve_that_cannot_be_is_explained(service: Running) -> None:
    asks: dict[int, list[dict[str, object]]] = {
        404: [{"model": "unknown"}],
        422: [
            {"kind": "latency_ms"},
            {"kind": "speed"},
            {"points": 1},
            {"points": 34},
            {"budget": {"gmacs": 1.0}},
            {"tasks": ["unknown"]},
        ],
    }
    for status, bad in asks.items():
        for ask in bad:
            response = await service.http.post("/curve", json=ask)
            assert response.status_code == status, ask
            assert response.headers["content-type"] == "application/problem+json"


async def test_a_subnetwork_s_latency_is_measured_here(service: Running) -> None:
    dialled = await service.dial(0.5)
    response = await service.http.post(dialled["links"]["latency"], json={"runs": 7})
    assert response.status_code == 200, response.text
    found = response.json()
    assert (found["subnet_id"], found["runs"]) == (dialled["subnet_id"], 7)
    assert 0 < found["fastest_ms"] <= found["median_ms"] <= found["slowest_ms"]
    assert found["place"]["provider"] == service.runtime.device.provider
    assert await service.metric("slimdial_inference_duration_seconds_count", model="tiny") == 8

    for runs in (0, 101, 1.5):
        link = dialled["links"]["latency"]
        assert (await service.http.post(link, json={"runs": runs})).status_code == 422
    for unknown in ("0" * 32, "0" * 64, "0" * 65):
        assert (await service.http.post(f"/subnet/{unknown}/latency", json={})).status_code == 404

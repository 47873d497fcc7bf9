"""Budgets of every kind over HTTP."""

from typing import Any

import onnx
import pytest

from tests.service.running import Running, encoded, picture

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "budget", [{"fraction": 0.5}, {"parameters": 9000}, {"size_bytes": 60_000}], ids=str
)
async def test_a_subnetwork_keeps_to_its_budget(service: Running, budget: dict[str, float]) -> None:
    body = {"budget": budget, "preference": {"depth": 1.0}, "tasks": ["depth", "edges"]}
    answer = (await service.http.post("/subnet", json=body)).json()
    (kind,) = budget
    assert answer["budget"] == budget
    assert 0 < answer["cost"][kind] <= budget[kind]
    file = (await service.http.get(answer["links"]["onnx"])).content
    assert [o.name for o in onnx.load_model_from_string(file).graph.output] == ["depth", "edges"]
    real = {
        "fraction": answer["gmacs"] / service.gmacs(1),
        "parameters": answer["parameters"],
        "size_bytes": len(file),
    }
    assert answer["cost"][kind] == pytest.approx(real[kind])


async def test_a_fraction_of_gmacs_is_a_hit_of_the_same_gmacs(service: Running) -> None:
    macs = round(0.5 * service.model.cost.of(service.model.space.largest()))
    first = await service.http.post("/subnet", json={"budget": {"fraction": 0.5}})
    again = await service.http.post("/subnet", json={"budget": {"gmacs": macs / 1e9}})
    assert again.json()["cache"] == "hit"
    assert again.json()["subnet_id"] == first.json()["subnet_id"]
    assert first.json()["budget_gmacs"] == pytest.approx(macs / 1e9)


@pytest.mark.parametrize(
    ("budget", "says"),
    [
        ({}, "budget: exactly one of"),
        ({"gmacs": 0.004, "fraction": 0.5}, "found gmacs and fraction"),
        ({"gmacs": None}, "exactly one of"),
        ({"fraction": 1.5}, "less than or equal to 1"),
        ({"fraction": 0}, "greater than 0"),
        ({"parameters": 1000.5}, "integer"),
        ({"size_bytes": -1}, "greater than 0"),
        ({"watts": 5}, "watts"),
        ({"latency_ms": 5.0}, "slimdial profile tiny"),
        (0.5, "budget"),
    ],
)
async def test_a_budget_that_makes_no_sense_is_explained(
    service: Running,
    budget: Any,  # noqa: ANN401
    says: str,
) -> None:
    response = await service.http.post("/subnet", json={"budget": budget})
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert says in response.json()["error"]


@pytest.mark.parametrize("kind", ["gmacs", "fraction", "parameters", "size_bytes"])
async def test_the_feasible_range_is_told_in_the_unit_of_the_budget(
    service: Running, kind: str
) -> None:
    least = 1 if kind in ("parameters", "size_bytes") else 1e-9
    body: dict[str, Any] = {"budget": {kind: least}, "tasks": ["depth"]}
    feasible = (await service.http.post("/subnet", json=body)).json()["feasible"]
    assert set(feasible) == {f"min_{kind}", f"max_{kind}"}
    for edge in feasible.values():
        body["budget"] = {kind: edge if least < 1 else int(edge)}
        answer = await service.http.post("/subnet", json=body)
        assert answer.status_code == 200
        assert answer.json()["cost"][kind] <= edge


async def test_less_than_a_multiply_accumulate_too_little_is_too_little(service: Running) -> None:
    macs = service.model.cost.of(service.model.space.smallest())
    for missing, status in ((0.0, 200), (0.4, 422)):
        body = {"budget": {"gmacs": (macs - missing) / 1e9}}
        assert (await service.http.post("/subnet", json=body)).status_code == status


async def test_predictions_take_any_kind_as_a_flat_field(service: Running) -> None:
    response = await service.http.post(
        "/predict",
        params={"budget.fraction": "0.5", "tasks": "depth"},
        content=encoded(picture()),
        headers={"content-type": "image/png"},
    )
    assert response.status_code == 200
    assert set(response.json()["outputs"]) == {"depth"}

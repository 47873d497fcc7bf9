"""The autopilot in the running service, with real predictions."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from service.autopilot.pilot import LEVELS, Autopilot
from service.settings import Settings
from tests.service.running import Running, encoded, picture, running

pytestmark = pytest.mark.anyio

IMAGE = encoded(picture())


@pytest.fixture
async def piloted(settings: Settings) -> AsyncIterator[Running]:
    """An objective that no prediction can meet, and windows that only the test ends."""
    never = {"autopilot_ms": 1e-6, "autopilot_window_s": 3600.0}
    async with running(settings.model_copy(update=never)) as service:
        yield service


async def ask(service: Running, accept: str = "application/json", **query: str) -> httpx.Response:
    response = await service.http.post(
        "/predict",
        params={"budget.fraction": "1.0", "preference.depth": "1", **query},
        content=IMAGE,
        headers={"content-type": "image/png", "accept": accept},
    )
    assert response.status_code == 200, response.text
    return response


def pilot_of(service: Running) -> Autopilot:
    pilot = service.runtime.predictions.autopilot
    assert pilot is not None
    return pilot


async def test_load_walks_adaptive_requests_down_and_calm_brings_them_back(
    piloted: Running,
) -> None:
    pilot = pilot_of(piloted)
    asked = (await ask(piloted, adaptive="true")).json()
    assert asked["level"] == 0
    await pilot.prepared()
    builds = await piloted.metric("slimdial_extract_duration_seconds_count")
    dials = {"budget": "fraction", "model": "tiny"}
    assert await piloted.metric("slimdial_dials_total", **dials) == 1, "levels are no user's dials"

    served: dict[int, float] = {}
    for _ in range(pilot.rules.breaches * LEVELS):
        answers = await asyncio.gather(*(ask(piloted, adaptive="true") for _ in range(8)))
        served |= {a.json()["level"]: a.json()["gmacs"] for a in answers}
        await pilot.tick()
    assert list(served) == list(range(LEVELS))
    assert list(served.values()) == sorted(served.values(), reverse=True)
    lowest = (await ask(piloted, adaptive="true")).json()
    assert lowest["level"] == LEVELS
    assert lowest["gmacs"] == pytest.approx(piloted.gmacs(0))
    assert await piloted.metric("slimdial_autopilot_level") == LEVELS
    assert await piloted.metric("slimdial_autopilot_steps_total", direction="down") == LEVELS

    others = (await ask(piloted)).json()
    assert others["gmacs"] == asked["gmacs"], "who does not allow it gets what was asked"
    assert "level" not in others

    await pilot.tick()
    for _ in range(pilot.rules.calm * LEVELS):
        await pilot.tick()
    again = (await ask(piloted, adaptive="true")).json()
    assert (again["level"], again["subnet_id"]) == (0, asked["subnet_id"])
    assert await piloted.metric("slimdial_autopilot_steps_total", direction="up") == LEVELS
    assert await piloted.metric("slimdial_extract_duration_seconds_count") == builds
    assert await piloted.metric("slimdial_autopilot_predictions_total", level="1") == 16


@pytest.mark.parametrize("accept", ["application/json", "application/x-npz"])
async def test_every_answer_says_what_was_served(service: Running, accept: str) -> None:
    dialled = await service.dial(1.0, preference={"depth": 1.0})
    response = await ask(service, accept)
    assert float(response.headers["x-gmacs"]) == pytest.approx(dialled["gmacs"])
    assert len(response.headers["x-subnet-id"]) == 32


async def test_without_an_autopilot_adaptive_requests_are_answered_as_asked(
    service: Running,
) -> None:
    assert service.runtime.predictions.autopilot is None
    answer = (await ask(service, adaptive="true")).json()
    assert (answer["level"], answer["gmacs"]) == (0, (await ask(service)).json()["gmacs"])


async def test_a_named_subnetwork_cannot_be_adapted(service: Running) -> None:
    subnet_id = (await service.dial())["subnet_id"]
    body = {"subnet_id": subnet_id, "adaptive": True, "image": ""}
    response = await service.http.post("/predict", json=body)
    assert response.status_code == 422
    assert "adaptive" in response.json()["error"]


async def test_an_infeasible_adaptive_request_is_refused_like_any(piloted: Running) -> None:
    query = {"budget.fraction": "1e-9", "adaptive": "true"}
    response = await piloted.http.post(
        "/predict", params=query, content=IMAGE, headers={"content-type": "image/png"}
    )
    assert response.status_code == 422
    assert set(response.json()["feasible"]) == {"min_fraction", "max_fraction"}

"""Both colours against the service in a process of its own."""

import asyncio
import hashlib
import itertools
import math
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]
import pytest

from service.client import (
    AsyncClient,
    Client,
    DeadlineError,
    InfeasibleBudgetError,
    IntegrityError,
    InvalidRequestError,
    Model,
    NotFoundError,
    OverloadedError,
    Prediction,
    Subnet,
    TransportError,
    UnavailableError,
    base,
)
from service.settings import Settings
from tests.service.running import Running, encoded, picture, running

Ask = Callable[..., Any]

DIAL: dict[str, Any] = {"budget": 0.005, "preference": {"depth": 1.0}}


def blocking(url: str) -> Ask:
    def ask(method: str, *args: object, **kwargs: object) -> Any:  # noqa: ANN401
        with Client(url) as client:
            return getattr(client, method)(*args, **kwargs)

    return ask


def asynchronous(url: str) -> Ask:
    def ask(method: str, *args: object, **kwargs: object) -> Any:  # noqa: ANN401
        async def go() -> Any:  # noqa: ANN401
            async with AsyncClient(url) as client:
                return await getattr(client, method)(*args, **kwargs)

        return asyncio.run(go())

    return ask


@pytest.fixture(params=[blocking, asynchronous])
def ask(request: pytest.FixtureRequest, url: str) -> Ask:
    colour: Callable[[str], Ask] = request.param
    return colour(url)


def test_models_and_health_are_told(ask: Ask) -> None:
    (listed,) = ask("models")
    assert (listed.name, listed.default) == ("tiny", True)
    model: Model = ask("model", "tiny")
    assert tuple(t.name for t in model.tasks) == listed.tasks
    assert model.budget == listed.budget
    assert model.budget.min_gmacs < model.budget.max_gmacs
    health = ask("health")
    assert health.status == "ok"
    assert health.models == {"tiny": "1"}


def test_a_subnetwork_is_dialled_described_and_downloaded(ask: Ask) -> None:
    subnet: Subnet = ask("subnet", **DIAL)
    assert subnet.gmacs <= 0.005
    assert ask("described", subnet.subnet_id).subnet_id == subnet.subnet_id
    assert ask("subnet", budget={"gmacs": 0.005}, preference={"depth": 1}).cache == "hit"
    for named in (subnet, subnet.subnet_id):
        content = ask("onnx", named)
        assert hashlib.sha256(content).hexdigest() == subnet.sha256
    names = [o.name for o in ort.InferenceSession(content).get_outputs()]
    assert tuple(names) == subnet.tasks


def test_an_image_is_predicted_in_whatever_form_it_is(ask: Ask, tmp_path: Path) -> None:
    image = picture(50, 40)
    (tmp_path / "image.png").write_bytes(encoded(image))
    subnet: Subnet = ask("subnet", **DIAL)
    by_dial: Prediction = ask("predict", image, **DIAL)
    assert (by_dial.subnet_id, by_dial.gmacs) == (subnet.subnet_id, subnet.gmacs)
    assert set(by_dial.outputs) == set(subnet.tasks)
    assert by_dial["depth"].shape == (40, 50)
    assert by_dial["normals"].shape == (40, 50, 3)
    assert by_dial["semseg"].dtype == np.uint16
    assert by_dial["animals"].sum() == pytest.approx(1)
    logits = by_dial.outputs["semseg"].logits
    assert logits is not None
    assert len(logits) == 4
    forms = [tmp_path / "image.png", str(tmp_path / "image.png"), encoded(image), np.array(image)]
    for form in forms:
        found = ask("predict", form, subnet)
        for task in subnet.tasks:
            assert np.array_equal(found[task], by_dial[task])


def test_only_kept_tasks_are_predicted(ask: Ask) -> None:
    found = ask("predict", picture(), tasks=["depth", "edges"], **DIAL)
    assert set(found.outputs) == {"depth", "edges"}


def test_without_an_autopilot_an_adaptive_prediction_is_as_asked(ask: Ask) -> None:
    asked = ask("predict", picture(), **DIAL)
    assert ask("predict", picture(), adaptive=True, **DIAL).subnet_id == asked.subnet_id


def test_what_is_no_image_is_refused_before_it_is_sent(ask: Ask) -> None:
    for odd in (np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8)):
        with pytest.raises(ValueError, match="uint8"):
            ask("predict", odd, **DIAL)
    with pytest.raises(TypeError):
        ask("predict", 7, **DIAL)
    with pytest.raises(FileNotFoundError):
        ask("predict", "/nowhere.png", **DIAL)
    for which in (
        {},
        {"subnet": "a", "budget": 1.0},
        {"subnet": "a", "model": "tiny"},
        {"adaptive": True},
    ):
        with pytest.raises(ValueError, match="budget"):
            ask("predict", b"", **which)


def test_errors_are_of_a_kind_each(ask: Ask) -> None:
    with pytest.raises(InfeasibleBudgetError) as infeasible:
        ask("subnet", budget=1e-6)
    model: Model = ask("model", "tiny")
    assert infeasible.value.status == 422
    assert infeasible.value.least == pytest.approx(model.budget.min_gmacs, rel=0.5)
    assert infeasible.value.most == pytest.approx(model.budget.max_gmacs, rel=0.5)
    with pytest.raises(NotFoundError, match="other"):
        ask("model", "other")
    with pytest.raises(NotFoundError):
        ask("model", "../healthz?a#b")  # one part of a path, whatever is in it
    with pytest.raises(NotFoundError):
        ask("onnx", "0" * 32)
    with pytest.raises(InvalidRequestError) as invalid:
        ask("subnet", budget=-1.0)
    assert invalid.value.fields[0]["field"] == "budget.gmacs"
    with pytest.raises(InvalidRequestError):
        ask("subnet", budget=float("nan"))
    with pytest.raises(InvalidRequestError) as media:
        ask("predict", b"no image", **DIAL)
    assert media.value.status == 415


def test_a_call_may_have_little_time(ask: Ask) -> None:
    with pytest.raises(DeadlineError):
        ask("subnet", budget=0.0037, preference={"edges": 0.3}, timeout_s=0.001)
    with pytest.raises(DeadlineError):
        ask("models", timeout_s=0.0)


@pytest.mark.parametrize("colour", [blocking, asynchronous])
def test_without_a_service_there_is_no_answer(colour: Callable[[str], Ask]) -> None:
    with pytest.raises(TransportError, match="no answer"):
        colour("http://127.0.0.1:9")("models")


def over(service: Running, sleep: Callable[[float], Any]) -> AsyncClient:
    return AsyncClient("http://service", http=service.http, sleep=sleep)


@pytest.mark.anyio
async def test_a_service_that_is_back_when_it_says_answers_after_all(service: Running) -> None:
    service.runtime.refusing = True
    slept = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        service.runtime.refusing = False

    assert (await over(service, sleep).models())[0].name == "tiny"
    assert slept == [1.0]


@pytest.mark.anyio
async def test_a_service_that_is_not_back_in_time_is_unavailable(service: Running) -> None:
    service.runtime.refusing = True

    async def sleep(seconds: float) -> None:
        raise AssertionError(seconds)

    with pytest.raises(UnavailableError) as error:
        await over(service, sleep).models(timeout_s=0.5)
    assert error.value.retry_after_s == 1


@pytest.mark.anyio
async def test_overload_says_when_to_come_again(settings: Settings) -> None:
    crowded = settings.model_copy(update={"max_builds": 1, "max_queued_builds": 0})

    async def sleep(seconds: float) -> None:
        raise AssertionError(seconds)

    async with running(crowded) as service:
        client = over(service, sleep)
        budgets = [service.gmacs(share) for share in (0.2, 0.4, 0.6, 0.8)]
        found = await asyncio.gather(
            *(client.subnet(b, timeout_s=0.9) for b in budgets), return_exceptions=True
        )
        refused = [e for e in found if isinstance(e, OverloadedError)]
        assert refused
        assert refused[0].retry_after_s is not None
        assert refused[0].retry_after_s >= 1


@pytest.mark.anyio
async def test_another_file_than_the_description_s_is_found_out(service: Running) -> None:
    async def go_on(seconds: float) -> None:
        raise AssertionError(seconds)

    client = over(service, go_on)
    subnet = await client.subnet(service.gmacs(0.5))
    assert await client.onnx(subnet)
    with pytest.raises(IntegrityError, match="SHA-256"):
        await client.onnx(subnet.model_copy(update={"sha256": "0" * 64}))


@pytest.mark.parametrize("content", [b"", b"[]", b"<html>", b"{}"])
def test_a_page_of_somebody_else_is_no_answer(content: bytes) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=content))
    with Client("http://proxy", http=httpx.Client(transport=transport)) as client:
        for ask in (client.models, client.health, lambda: client.predict(b"x", "a" * 32)):
            with pytest.raises(IntegrityError):
                ask()


def test_an_answer_that_never_ends_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "_GRACE_S", 0.0)
    always_more = httpx.MockTransport(lambda _: httpx.Response(200, content=itertools.repeat(b" ")))
    with (
        Client("http://slow", http=httpx.Client(transport=always_more)) as client,
        pytest.raises(DeadlineError),
    ):
        client.models(timeout_s=0.1)


@pytest.mark.anyio
async def test_nor_is_it_waited_for_asynchronously(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "_GRACE_S", 0.0)

    async def spaces() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0)

    always_more = httpx.MockTransport(lambda _: httpx.Response(200, content=spaces()))
    async with AsyncClient("http://slow", http=httpx.AsyncClient(transport=always_more)) as client:
        with pytest.raises(DeadlineError):
            await client.models(timeout_s=0.1)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://localhost:port", "'http://localhost:port' is no URL"),
        ("localhost:8000", "a URL such as http://localhost:8000 is needed"),
        ("http://", "found 'http://'"),
    ],
)
def test_what_is_no_address_is_refused_at_once(url: str, words: str) -> None:
    for make in (Client, AsyncClient):
        with pytest.raises(ValueError, match=words):
            make(url)


@pytest.mark.parametrize("timeout_s", [math.inf, math.nan, 1e6])
def test_a_time_that_the_service_does_not_take_is_refused(timeout_s: float) -> None:
    with pytest.raises(ValueError, match="timeout_s is at most 86400 seconds"):
        Client("http://localhost", timeout_s=timeout_s)
    with Client("http://localhost") as client, pytest.raises(ValueError, match="timeout_s"):
        client.models(timeout_s=timeout_s)


def test_a_header_of_one_s_own_is_sent_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIMDIAL_API_KEY", "of-the-environment")
    sent: list[httpx.Headers] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers)
        return httpx.Response(200, json={"models": []})

    http = httpx.Client(transport=httpx.MockTransport(answer))
    with Client("http://proxy", headers={"Authorization": "Basic eDp5"}, http=http) as client:
        client.models()
    assert sent[0].get_list("authorization") == ["Basic eDp5"]


def test_it_is_imported_without_the_service() -> None:
    program = """
import sys, service.client
heavy = {"onnx", "onnxruntime", "fastapi", "starlette", "redis", "PIL", "model_store", "uvicorn"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_address_may_end_in_a_slash(url: str) -> None:
    assert blocking(f"{url}/")("health").status == "ok"

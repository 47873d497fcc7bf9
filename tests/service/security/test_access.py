"""Keys and scopes, over HTTP."""

import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from starlette.routing import BaseRoute, Route

from service.app import create_app
from service.client import AsyncClient, ForbiddenError, UnauthorizedError
from service.security.key_file import change_keys
from service.security.keys import SCOPES, KeysError, Scope
from service.settings import Settings
from tests.service.running import Running, running

pytestmark = pytest.mark.anyio

OPEN = {
    "/",
    "/page/{path:path}",
    "/livez",
    "/readyz",
    "/v2/health/live",
    "/v2/health/ready",
    "/docs",
    "/openapi.json",
}
"""What is there without a key: says nothing of this service but that it runs."""

NEEDS: dict[tuple[str, str], Scope] = {
    ("POST", "/subnet"): "subnet",
    ("POST", "/v2/repository/models/{name}/load"): "subnet",
    ("POST", "/v2/repository/models/{name}/unload"): "subnet",
    ("GET", "/metrics"): "metrics",
    ("GET", "/healthz"): "metrics",
}
"""All others that are not open need ``predict``."""


def add(file: Path, name: str, *scopes: Scope) -> str:
    return change_keys(file, lambda keys: keys.with_new(name, scopes, "2026-01-01"))


def revoke(file: Path, name: str) -> None:
    change_keys(file, lambda keys: (keys.without(name), None))


@dataclass(frozen=True)
class Locked:
    """A service with keys."""

    service: Running
    app: FastAPI
    file: Path
    keys: dict[Scope, str]
    """One for each scope, by its name."""

    async def ask(self, method: str, path: str, key: str | None = None) -> httpx.Response:
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        return await self.service.http.request(method, path, headers=headers)

    async def refresh(self) -> None:
        """As every second."""
        keyring = self.app.state.access.keyring
        await keyring.refresh()

    async def metric(self, name: str, **labels: str) -> float:
        self.service.http.headers["x-api-key"] = self.keys["metrics"]
        try:
            return await self.service.metric(name, **labels)
        finally:
            del self.service.http.headers["x-api-key"]


@pytest.fixture
async def locked(settings: Settings, tmp_path: Path) -> AsyncIterator[Locked]:
    file = tmp_path / "keys.json"
    keys = {scope: add(file, scope, scope) for scope in SCOPES}
    async with running(settings.model_copy(update={"api_keys_file": file})) as service:
        transport = service.http._transport
        assert isinstance(transport, httpx.ASGITransport)
        app = transport.app
        assert isinstance(app, FastAPI)
        yield Locked(service, app, file, keys)


def routes(found: list[BaseRoute]) -> Iterator[tuple[str, str]]:
    for route in found:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from routes(inner.routes)
        elif isinstance(route, Route):
            for method in sorted((route.methods or set()) - {"HEAD"}):
                yield method, route.path


async def test_every_route_needs_its_scope_and_no_other_will_do(locked: Locked) -> None:
    found = set(routes(locked.app.routes))
    assert set(NEEDS) < found
    assert {path for _, path in found} > OPEN
    for method, template in found:
        path = template.replace("{path:path}", "icon.svg").format(
            name="tiny", version="7", subnet_id="x", example="0"
        )
        bare = await locked.ask(method, path)
        if template in OPEN:
            assert bare.status_code < 400, template
            continue
        assert bare.status_code == 401, template
        needed = NEEDS.get((method, template), "predict")
        for scope, key in locked.keys.items():
            answer = await locked.ask(method, path, key)
            assert (answer.status_code == 403) == (scope != needed), (template, scope)
            assert answer.status_code != 401


async def test_who_is_not_let_in_is_told_how_to_be(locked: Locked) -> None:
    for answer, error in (
        (await locked.ask("GET", "/models"), None),
        (await locked.ask("GET", "/models", "slimdial_wrong"), "invalid_token"),
    ):
        assert answer.status_code == 401
        challenge = answer.headers["www-authenticate"]
        assert challenge.startswith("Bearer ")
        assert error is None or f'error="{error}"' in challenge
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["error"]
    refused = await locked.ask("POST", "/subnet", locked.keys["predict"])
    assert refused.status_code == 403
    assert 'error="insufficient_scope", scope="subnet"' in refused.headers["www-authenticate"]
    problem = refused.json()
    assert problem["missing_scope"] == "subnet"
    assert "'predict'" in problem["error"]
    assert "'subnet'" in problem["error"]


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer {}"},
        {"authorization": "bearer   {}"},
        {"x-api-key": "{}"},
        {"x-api-key": "{}", "authorization": "Basic dXNlcjpwYXNz"},  # of a proxy before it
        {"x-api-key": "{}", "authorization": "Bearer of.a.proxy"},
        {"x-api-key": "", "authorization": "Bearer {}"},
    ],
)
async def test_a_key_may_come_in_either_header(locked: Locked, headers: dict[str, str]) -> None:
    sent = {name: value.format(locked.keys["predict"]) for name, value in headers.items()}
    assert (await locked.service.http.get("/models", headers=sent)).status_code == 200
    wrong = {name: value.format("wrong") for name, value in headers.items()}
    assert (await locked.service.http.get("/models", headers=wrong)).status_code == 401


async def test_who_is_not_let_in_is_refused_before_the_body_is_read(locked: Locked) -> None:
    async def body() -> AsyncIterator[bytes]:
        raise AssertionError
        yield b""

    taking = [template for method, template in routes(locked.app.routes) if method == "POST"]
    assert len(taking) == 9
    for template in taking:
        path = template.format(name="tiny", version="7", subnet_id="x")
        for kind in ("application/json", "image/png", "multipart/form-data; boundary=b"):
            for key, status in ((None, 401), ("wrong", 401), (locked.keys["metrics"], 403)):
                given = {} if key is None else {"x-api-key": key}
                answer = await locked.service.http.post(
                    path, content=body(), headers={"content-type": kind, **given}
                )
                assert answer.status_code == status, (path, kind)


async def test_keys_change_without_a_restart(locked: Locked) -> None:
    new = add(locked.file, "new", "predict")
    revoke(locked.file, "predict")
    assert (await locked.ask("GET", "/models", locked.keys["predict"])).status_code == 200
    await locked.refresh()
    assert (await locked.ask("GET", "/models", locked.keys["predict"])).status_code == 401
    assert (await locked.ask("GET", "/models", new)).status_code == 200


@pytest.mark.parametrize("breaks", ["junk", "missing", "folder"])
async def test_a_broken_file_changes_nothing_and_is_told(
    locked: Locked, breaks: str, caplog: pytest.LogCaptureFixture
) -> None:
    good = locked.file.read_bytes()
    locked.file.unlink()
    if breaks == "junk":
        locked.file.write_bytes(b"{")
    elif breaks == "folder":
        locked.file.mkdir()
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            await locked.refresh()
    (told,) = [r for r in caplog.records if r.levelno == logging.ERROR]  # once, not every second
    assert "stay in force" in told.getMessage()
    assert "keys.json" in told.getMessage()
    assert str(locked.file.parent) not in told.getMessage()
    assert await locked.metric("slimdial_api_keys_file_up") == 0
    assert (await locked.ask("GET", "/models", locked.keys["predict"])).status_code == 200

    if breaks == "folder":
        locked.file.rmdir()
    locked.file.write_bytes(good)
    await locked.refresh()
    assert await locked.metric("slimdial_api_keys_file_up") == 1


async def test_metrics_know_keys_by_their_names(locked: Locked) -> None:
    for _ in range(3):
        await locked.ask("GET", "/models", locked.keys["predict"])
    await locked.ask("GET", "/models", locked.keys["subnet"])
    await locked.ask("GET", "/models", "wrong")
    await locked.ask("GET", "/models")
    requests = "slimdial_api_key_requests_total"
    assert await locked.metric(requests, key="predict") == 3
    assert await locked.metric(requests, key="subnet") == 1
    refusals = "slimdial_api_key_refusals_total"
    for reason in ("missing", "unknown", "scope"):
        assert await locked.metric(refusals, reason=reason) == 1


async def test_a_metric_has_room_for_so_many_keys_and_no_more(locked: Locked) -> None:
    for i in range(300):
        locked.service.runtime.metrics.count_key(f"key-{i}")
    exposed = locked.service.runtime.metrics.exposition().decode()
    named = [line for line in exposed.splitlines() if line.startswith("slimdial_api_key_requests_")]
    assert len(named) < 250
    assert await locked.metric("slimdial_api_key_requests_total", key="(other)") > 100


async def test_the_openapi_document_says_which_scope_a_route_needs(
    locked: Locked, settings: Settings
) -> None:
    document = (await locked.ask("GET", "/openapi.json")).json()
    schemes = document["components"]["securitySchemes"]
    assert {(s["type"], s.get("scheme"), s.get("name")) for s in schemes.values()} == {
        ("http", "bearer", None),
        ("apiKey", None, "X-API-Key"),
    }
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if path in OPEN:
                assert "security" not in operation, path
                continue
            needed = NEEDS.get((method.upper(), path), "predict")
            assert [list(s.values()) for s in operation["security"]] == [[[needed]], [[needed]]]
            assert {"401", "403"} <= set(operation["responses"])
    async with running(settings) as open_to_all:
        assert "security" not in (await open_to_all.http.get("/openapi.json")).text


async def test_the_client_sends_its_key(locked: Locked, monkeypatch: pytest.MonkeyPatch) -> None:
    def client(api_key: str | None) -> AsyncClient:
        return AsyncClient("http://service", api_key=api_key, http=locked.service.http)

    with pytest.raises(UnauthorizedError):
        await client(None).models()
    with pytest.raises(ForbiddenError, match="subnet"):
        await client(locked.keys["predict"]).subnet(locked.service.gmacs(0.5))
    assert (await client(locked.keys["predict"]).models())[0].name == "tiny"
    monkeypatch.setenv("SLIMDIAL_API_KEY", f"{locked.keys['metrics']}\n")
    assert (await client(None).health()).status == "ok"
    for odd in ("a b", "a\r\nx: y", "ä"):
        with pytest.raises(ValueError, match="SLIMDIAL_API_KEY") as error:
            client(odd)
        assert odd not in str(error.value)


@pytest.mark.parametrize("content", [None, b"junk"])
def test_a_service_does_not_start_without_the_keys_that_it_is_told_of(
    settings: Settings, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "keys.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(KeysError, match=r"keys\.json"):
        create_app(settings.model_copy(update={"api_keys_file": file}))

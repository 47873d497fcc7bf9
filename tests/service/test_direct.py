"""The shortcut to routes that are asked often, against the way through FastAPI's router."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from service.routes.direct import Shortcuts
from service.settings import Settings
from tests.service.running import Running, encoded, picture, running
from tests.service.security.test_access import add

pytestmark = pytest.mark.anyio

Headers = list[tuple[str, str]]

JSON: Headers = [("content-type", "application/json")]
PNG: Headers = [("content-type", "image/png")]
DIAL = json.dumps({"budget": {"gmacs": 0.005}, "preference": {"depth": 1.0}}).encode()
PREDICT = "/predict?budget=0.005&preference.depth=1"
PICTURE = encoded(picture())


@dataclass(frozen=True)
class Ask:
    """A request."""

    method: str
    url: str
    content: bytes = b""
    headers: Headers = field(default_factory=list)
    key: str | None = "wide"


@dataclass(frozen=True)
class Ways:
    """Two ways into one service."""

    service: Running
    short: httpx.AsyncClient
    long: httpx.AsyncClient
    keys: dict[str, str]

    async def ask(self, ask: Ask) -> tuple[httpx.Response, httpx.Response]:
        """The answers by the shortcut and by the router."""
        headers = [*ask.headers, ("x-request-id", "the-same")]
        if ask.key is not None:
            headers.append(("authorization", f"Bearer {self.keys[ask.key]}"))
        short, long = [
            await way.request(ask.method, ask.url, content=ask.content, headers=headers)
            for way in (self.short, self.long)
        ]
        return short, long


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def ways(models_root: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ways]:
    folder = tmp_path_factory.mktemp("direct")
    file = folder / "keys.json"
    keys = {"wide": add(file, "wide", "predict", "subnet"), "metrics": add(file, "m", "metrics")}
    settings = Settings(models_root=models_root, data_dir=folder, api_keys_file=file)
    async with running(settings) as service:
        service.http.headers["x-api-key"] = keys["metrics"]
        transport = service.http._transport
        assert isinstance(transport, httpx.ASGITransport)
        app = transport.app
        assert isinstance(app, FastAPI)
        with_shortcuts = app.user_middleware
        short = _entrance(app)
        app.user_middleware = [m for m in with_shortcuts if not _is_shortcut(m)]
        assert len(app.user_middleware) == len(with_shortcuts) - 1
        async with short, _entrance(app) as long:
            found = Ways(service, short, long, keys)
            await found.ask(Ask("POST", "/subnet", DIAL, JSON))  # from here on it is a hit
            yield found


def _is_shortcut(layer: Middleware) -> bool:
    made: object = layer.cls
    return made is Shortcuts


def _entrance(app: FastAPI) -> httpx.AsyncClient:
    """A client of an app with the middleware that it has now."""
    stack: ASGIApp = app.build_middleware_stack()

    async def enter(scope: Scope, receive: Receive, send: Send) -> None:
        await stack({**scope, "app": app}, receive, send)

    transport = httpx.ASGITransport(enter, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://service", timeout=60)


def _without_times(answer: httpx.Response) -> Any:  # noqa: ANN401
    if "json" not in answer.headers.get("content-type", ""):
        return answer.content
    body = answer.json() if answer.content else {}
    return {name: value for name, value in body.items() if name != "timings_ms"}


def _same(short: httpx.Response, long: httpx.Response) -> None:
    assert short.status_code == long.status_code
    bodies = [_without_times(answer) for answer in (short, long)]
    assert bodies[0] == bodies[1]
    times = {"content-length"} if b"timings_ms" in short.content else set()
    named = [
        sorted((n, v) for n, v in answer.headers.multi_items() if n not in times)
        for answer in (short, long)
    ]
    assert named[0] == named[1]


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


@pytest.mark.parametrize("path", ["/livez", "/subnet", "/predict"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("tail", ["", "/", "?", "?x=1", "%2f", "//", "%00", ";x"])
async def test_any_method_on_any_spelling(ways: Ways, method: str, path: str, tail: str) -> None:
    _same(*await ways.ask(Ask(method, f"{path}{tail}")))


@pytest.mark.parametrize(
    ("status", "ask"),
    [
        (200, Ask("POST", "/subnet", DIAL, JSON)),
        (200, Ask("POST", "/%73ubnet?x=1", DIAL, [("Content-Type", "APPLICATION/JSON; a=b")])),
        (200, Ask("POST", "/subnet", DIAL, [*JSON, ("content-type", "text/plain")])),
        (415, Ask("POST", "/subnet", DIAL, [("content-type", "text/plain"), *JSON])),
        (415, Ask("POST", "/subnet", DIAL)),
        (400, Ask("POST", "/subnet", b"{", JSON)),
        (422, Ask("POST", "/subnet", b"{}", JSON)),
        (422, Ask("POST", "/subnet", DIAL.replace(b"0.005", b"1e-6"), JSON)),
        (404, Ask("POST", "/subnet", DIAL.replace(b"{", b'{"model":"x",', 1), JSON)),
        (413, Ask("POST", "/subnet", b" " * (1 << 17), JSON)),
        (413, Ask("POST", "/subnet", b"", [*JSON, ("content-length", "99999999999")])),
        (422, Ask("POST", "/subnet", DIAL, [*JSON, ("x-request-timeout-ms", "soon")])),
        (401, Ask("POST", "/subnet", DIAL, JSON, key=None)),
        (403, Ask("POST", "/subnet", DIAL, JSON, key="metrics")),
        (200, Ask("POST", PREDICT, PICTURE, PNG)),
        (200, Ask("POST", PREDICT, PICTURE, [*PNG, ("accept", "application/x-npz")])),
        (200, Ask("POST", f"{PREDICT}&task=depth", PICTURE, [*PNG, ("accept", "image/png")])),
        (200, Ask("POST", f"{PREDICT}&adaptive=true", PICTURE, PNG)),
        (406, Ask("POST", PREDICT, PICTURE, [*PNG, ("accept", "text/html")])),
        (415, Ask("POST", PREDICT, b"no picture", PNG)),
        (422, Ask("POST", f"{PREDICT}&budget=1", PICTURE, PNG)),
        (404, Ask("POST", "/predict?subnet_id=x", PICTURE, PNG)),
        (401, Ask("POST", PREDICT, PICTURE, PNG, key=None)),
        (403, Ask("POST", PREDICT, PICTURE, PNG, key="metrics")),
        (200, Ask("GET", "/livez", key=None)),
        (200, Ask("GET", "/livez", b"a body", [("x-request-id", "two ids")])),
    ],
    ids=lambda value: f"{value.method} {value.url}" if isinstance(value, Ask) else None,
)
async def test_what_is_answered_by_the_router_is_answered_by_the_shortcut(
    ways: Ways, status: int, ask: Ask
) -> None:
    short, long = await ways.ask(ask)
    assert long.status_code == status, long.text
    _same(short, long)


async def test_both_are_counted_alike(ways: Ways) -> None:
    async def counted(route: str, status: str) -> float:
        labels = {"method": "POST", "route": route, "status": status}
        return await ways.service.metric("slimdial_http_requests_total", **labels)

    for ask, route, status in (
        (Ask("POST", "/subnet", DIAL, JSON), "/subnet", "200"),
        (Ask("POST", "/predict"), "/predict", "415"),
        (Ask("POST", "/predict", key=None), "/predict", "401"),
    ):
        before = await counted(route, status)
        await ways.ask(ask)
        assert await counted(route, status) == before + 2

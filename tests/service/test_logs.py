"""Logs of a service, line by line, in both forms."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from service import logs
from service.logs import JsonLines, TextLines
from tests.service.running import Running, encoded, picture

pytestmark = pytest.mark.anyio


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What is logged meanwhile, as JSON."""
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(JsonLines(stacks=False))
    handler.addFilter(lambda record: record.name.startswith("service"))  # and not the client's
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield handler.stream
    root.removeHandler(handler)
    root.setLevel(before)


def read(lines: io.StringIO, message: str = "") -> list[dict[str, Any]]:
    found = [json.loads(line) for line in lines.getvalue().splitlines()]
    return [line for line in found if message in line["message"]]


async def test_a_request_is_one_line_with_what_came_of_it(
    service: Running, lines: io.StringIO
) -> None:
    dialled = await service.http.post("/subnet", json={"budget": {"gmacs": service.gmacs(0.5)}})
    answer = dialled.json()
    predicted = await service.http.post(
        "/predict",
        params={"subnet_id": answer["subnet_id"]},
        content=encoded(picture()),
        headers={"content-type": "image/png"},
    )
    await service.http.get(f"/subnet/{answer['subnet_id']}")
    await service.http.get("/nowhere?secret=sesame")
    await service.http.get("/models/sesame")
    subnet, predict, described, nowhere, _ = read(lines, "request")
    common = {"level": "info", "model": "tiny", "subnet_id": answer["subnet_id"]}
    expected = {"method": "POST", "route": "/subnet", "status": 200, "cache": "miss", **common}
    assert expected.items() <= subnet.items()
    expected = {"method": "POST", "route": "/predict", "status": 200, "cache": "hit", **common}
    assert expected.items() <= predict.items()
    assert predict["request_id"] == predicted.headers["x-request-id"]
    assert predict["duration_ms"] > 0
    expected = {"method": "GET", "route": "/subnet/{subnet_id}", "status": 200, **common}
    assert expected.items() <= described.items()
    assert {"route": "(none)", "status": 404}.items() <= nowhere.items()
    assert "model" not in nowhere
    assert "sesame" not in lines.getvalue()


async def test_what_a_request_starts_is_logged_with_its_id(
    service: Running, lines: io.StringIO
) -> None:
    body = {"budget": {"gmacs": service.gmacs(0.4)}}
    await service.http.post("/subnet", json=body, headers={"x-request-id": "the-first"})
    await service.http.post("/subnet", json=body, headers={"x-request-id": "the-second"})
    (built,) = read(lines, "built")
    assert built["request_id"] == "the-first"
    assert [r["request_id"] for r in read(lines, "request")] == ["the-first", "the-second"]
    assert logs.request_id() is None


@pytest.mark.parametrize(
    "given",
    ["", "a b", "a" * 129, 'x"', "x\tfield=1", "ä", "<script>", "${jndi}"],
)
async def test_an_id_that_is_not_well_formed_is_replaced(service: Running, given: str) -> None:
    headers = [(b"x-request-id", given.encode())]
    answer = await service.http.get("/nowhere", headers=headers)
    made = answer.headers["x-request-id"]
    assert made != given
    assert len(made) == 32
    assert answer.json()["request_id"] == made


@pytest.mark.parametrize("given", ["a", "A-1_b.c:d", "a" * 128])
async def test_an_id_that_is_well_formed_is_kept(service: Running, given: str) -> None:
    answer = await service.http.get("/nowhere", headers={"x-request-id": given})
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == given


async def test_what_nobody_has_thought_of_is_answered_and_logged_without_its_stack(
    service: Running, lines: io.StringIO
) -> None:
    del service.runtime.catalog
    answer = await service.http.get("/models/tiny")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    (error,) = read(lines, "unexpected")
    assert error["level"] == "error"
    assert error["error"] == "AttributeError"
    assert "service.routes.models.get_model:" in error["where"]
    assert error["request_id"] == answer.json()["request_id"]
    for text in (lines.getvalue(), answer.text):
        assert "Traceback" not in text
        assert ".py" not in text
        assert "'Runtime'" not in text  # the exception's own words
    (request,) = read(lines, "request")
    assert request["status"] == 500
    labels = {"method": "GET", "route": "/models/{name}", "status": "500"}
    assert await service.metric("slimdial_http_requests_total", **labels) == 1


def record(error: Exception | None = None) -> logging.LogRecord:
    info = None if error is None else (type(error), error, error.__traceback__)
    made = logging.LogRecord("service.x", logging.INFO, "x.py", 1, "made %s", ("it",), info)
    made.__dict__.update(logs.fields(model="tiny", cache=None, note='a "b"\nc'))
    return made


def raised() -> Exception:
    try:
        raise OSError(28, "No space", "/secret/path")
    except OSError as error:
        return error


def test_a_line_for_people_says_the_same() -> None:
    with logs.about(logs.Facts("id-1", key="ci")):
        line = TextLines(stacks=False).format(record(raised()))
    assert "INFO service.x: made it" in line
    assert "request_id=id-1 key=ci model=tiny" in line
    assert "error=OSError" in line
    assert "cache" not in line
    assert "/secret" not in line


@pytest.mark.parametrize("kind", [JsonLines, TextLines])
def test_an_event_is_one_line_whatever_is_in_it(kind: type[JsonLines | TextLines]) -> None:
    assert "\n" not in kind(stacks=False).format(record(raised()))


@pytest.mark.parametrize("kind", [JsonLines, TextLines])
def test_stacks_are_for_those_who_debug(kind: type[JsonLines | TextLines]) -> None:
    assert "No space" in kind(stacks=True).format(record(raised()))

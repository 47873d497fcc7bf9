"""The OpenAPI document against the service that it describes, with the models that ship."""

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import httpx
import jsonschema
import pytest

from service.openapi_examples import SUBNET_ID, VERSION
from tests.service.running import encoded, picture

PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def http(shipped_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=shipped_url, timeout=60) as http:
        yield http
        http.post("/v2/repository/models/caltech100/load")  # an example has unloaded it


@pytest.fixture(scope="module")
def document(http: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = http.get("/openapi.json").json()
    return found


@pytest.fixture(scope="module")
def own(http: httpx.Client, document: dict[str, Any]) -> dict[str, str]:
    """The service's ids of the sub-networks that the examples name."""
    subnet = next(iter(examples(document, "/subnet").values()))["value"]
    load = "/v2/repository/models/{name}/load"
    version = next(iter(examples(document, load).values()))["value"]
    return {
        SUBNET_ID: http.post("/subnet", json=subnet).json()["subnet_id"],
        VERSION: http.post(load.format(name="caltech100"), json=version).json()["version"],
    }


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def examples(document: dict[str, Any], path: str) -> dict[str, Any]:
    content = document["paths"][path]["post"]["requestBody"]["content"]
    found: dict[str, Any] = content["application/json"]["examples"]
    return found


def check(document: dict[str, Any], schema: dict[str, Any], value: object) -> None:
    whole = {"components": document["components"], **schema}
    jsonschema.validate(value, whole, cls=jsonschema.Draft202012Validator)


def replaced(value: str, own: dict[str, str]) -> str:
    for documented, real in own.items():
        value = value.replace(documented, real)
    return value


def url_of(path: str, operation: dict[str, Any], own: dict[str, str]) -> str:
    values = {p["name"]: p["example"] for p in operation.get("parameters", ()) if p["in"] == "path"}
    return replaced(path.format(**values), own)


def check_answer(
    document: dict[str, Any], operation: dict[str, Any], answer: httpx.Response, status: int
) -> None:
    assert answer.status_code == status, answer.text
    media = answer.headers["content-type"].partition(";")[0]
    content = operation["responses"][str(status)]["content"]
    assert media in content
    if media.endswith("json"):
        check(document, content[media]["schema"], answer.json())


def test_every_route_that_only_reads_answers_as_documented(
    http: httpx.Client, document: dict[str, Any], own: dict[str, str]
) -> None:
    for method, path, operation in operations(document):
        if method == "get":
            answer = http.get(url_of(path, operation, own))
            check_answer(document, operation, answer, 200)


def test_head_is_answered_as_get_is_without_the_body(
    http: httpx.Client, document: dict[str, Any], own: dict[str, str]
) -> None:
    for method, path, operation in operations(document):
        if method == "get":
            url = url_of(path, operation, own)
            head, got = http.head(url), http.get(url)
            assert (head.status_code, head.content) == (200, b""), path
            assert set(head.headers) == set(got.headers), path
            for name in ("content-type", "cache-control", "etag"):
                assert head.headers.get(name) == got.headers.get(name), path


def test_every_example_of_a_request_is_answered_as_documented(
    http: httpx.Client, document: dict[str, Any], own: dict[str, str]
) -> None:
    # Unloading last, as it stands in the document: the others want their models.
    for method, path, operation in operations(document):
        if method != "post":
            continue
        for example in examples(document, path).values():
            body = replaced(json.dumps(example["value"]), own)
            answer = http.post(
                url_of(path, operation, own),
                content=body,
                headers={"content-type": "application/json"},
            )
            check_answer(document, operation, answer, example.get("x-status", 200))
            if example.get("x-status", 200) == 200:
                schema = operation["requestBody"]["content"]["application/json"]["schema"]
                check(document, schema, example["value"])


def test_pictures_are_taken_in_every_documented_way(
    http: httpx.Client, document: dict[str, Any], own: dict[str, str]
) -> None:
    operation = document["paths"]["/predict"]["post"]
    image = encoded(picture())
    parameters = {"subnet_id": own[SUBNET_ID]}
    for media in operation["requestBody"]["content"]:
        if media == "multipart/form-data":
            answer = http.post("/predict", files={"image": image}, data=parameters)
        elif media.startswith("image/"):
            headers = {"content-type": media}
            answer = http.post("/predict", content=image, params=parameters, headers=headers)
        else:
            continue
        check_answer(document, operation, answer, 200)


def test_every_answer_and_every_error_has_an_example_of_its_schema(
    document: dict[str, Any],
) -> None:
    for method, path, operation in operations(document):
        for status, answer in operation["responses"].items():
            for media, described in answer.get("content", {}).items():
                if not media.endswith("json"):
                    continue
                where = f"{method} {path} {status}"
                assert "example" in described, where
                check(document, described["schema"], described["example"])
                if media == PROBLEM:
                    assert described["example"]["status"] == int(status), where
                    assert described["example"]["error"], where


def test_every_body_has_an_example(document: dict[str, Any]) -> None:
    bodies = [p for m, p, o in operations(document) if "requestBody" in o]
    assert len(bodies) == 9
    for path in bodies:
        assert examples(document, path)


def test_a_request_that_is_too_slow_or_too_large_is_refused_on_every_route_as_documented(
    http: httpx.Client, document: dict[str, Any], own: dict[str, str]
) -> None:
    too_large = {413: ("Content-Length", str(1 << 40)), 431: ("X-Padding", "a" * 17_000)}
    for method, path, operation in operations(document):
        assert "408" in operation["responses"], path
        for status, header in too_large.items():
            connection = HTTPConnection(http.base_url.host, http.base_url.port, timeout=60)
            connection.putrequest(method.upper(), url_of(path, operation, own))
            connection.putheader(*header)
            connection.endheaders()
            found = connection.getresponse()
            answer = httpx.Response(found.status, headers=found.getheaders(), content=found.read())
            check_answer(document, operation, answer, status)
            connection.close()


def test_errors_are_problems_everywhere(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                assert list(answer["content"]) == [PROBLEM], f"{method} {path} {status}"
        if path not in ("/livez", "/v2", "/v2/health/live"):
            assert "503" in operation["responses"], path

"""The parts of the OpenAPI document that FastAPI cannot see, since bodies are read by hand."""

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from service import openapi_answers as answered
from service import openapi_examples as examples
from service.curve import CurveAsk
from service.oip.reading import HEADER
from service.oip.schemas import IndexBody, InferBody, LoadBody, UnloadBody
from service.patience import HEADER as TIMEOUT
from service.patience import LONGEST_MS
from service.schemas import Dial, PredictBody, PredictQuery, Problem
from service.security import access
from service.timing import LatencyAsk

# Answered whatever the state of the service.
_ALWAYS = frozenset({"/livez", "/v2/health/live"})
_ASKED = (Dial, PredictBody, PredictQuery, CurveAsk, LatencyAsk)
_OTHER_SCHEME = "header"
_OIP = (InferBody, IndexBody, LoadBody, UnloadBody)
_REF = "#/components/schemas/{model}"


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error responses of an endpoint."""
    content = {"application/problem+json": {"schema": {"$ref": _REF.format(model="Problem")}}}
    return {s: {"description": "Problem (RFC 9457)", "content": content} for s in statuses}


def timeout_header() -> dict[str, Any]:
    """The header by which clients say how long they wait."""
    header = {
        "name": TIMEOUT,
        "in": "header",
        "schema": {"type": "integer", "minimum": 1, "maximum": LONGEST_MS},
        "description": "Milliseconds after which the client no longer wants the answer (then it is "
        "504), counted from when the request is there. The service's own limit is the longest.",
    }
    return {"parameters": [header]}


def json_body(model: type[BaseModel], required: bool = True) -> dict[str, Any]:
    """The request body of an endpoint that takes JSON."""
    content = {"application/json": {"schema": {"$ref": _REF.format(model=model.__name__)}}}
    return {"requestBody": {"required": required, "content": content}}


def prediction_body() -> dict[str, Any]:
    """The request body of ``/predict``: a picture in one of three ways."""
    binary = {"type": "string", "format": "binary"}
    fields = {
        "image": binary,
        "request": {"type": "string", "description": "PredictQuery as JSON"},
        "subnet_id": {"type": "string"},
        "budget": {"type": "number", "description": "GMACs"},
    }
    form = {"schema": {"type": "object", "properties": fields, "required": ["image"]}}
    return {
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": form,
                "image/jpeg": {"schema": binary},
                "image/png": {"schema": binary},
                "image/webp": {"schema": binary},
                **json_body(PredictBody)["requestBody"]["content"],
            },
        },
        "parameters": [
            {"name": name, "in": "query", "schema": {"type": kind}, "description": what}
            for name, kind, what in (
                ("subnet_id", "string", "A sub-network dialled before."),
                ("model", "string", "The default model if not given."),
                ("budget", "number", "GMACs; or budget.KIND=NUMBER for another kind of budget."),
                ("adaptive", "boolean", "Whether the autopilot may answer with less."),
                ("preference", "string", 'JSON, as {"depth": 1.0}; or preference.depth=1.0.'),
                ("tasks", "string", "Comma-separated; all if not given."),
                ("task", "string", "The task to draw, with Accept: image/png."),
                ("request", "string", "All of these as one JSON object."),
            )
        ]
        + timeout_header()["parameters"],
    }


def tensor_body() -> dict[str, Any]:
    """The request body of an inference: JSON, or JSON and the bytes of tensors."""
    found = json_body(InferBody)
    binary = {"schema": {"type": "string", "format": "binary"}}
    found["requestBody"]["content"]["application/octet-stream"] = binary
    header = {
        "name": HEADER,
        "in": "header",
        "schema": {"type": "integer", "minimum": 1},
        "description": "Bytes of the JSON, where tensors follow it.",
    }
    return {**found, "parameters": [header, *timeout_header()["parameters"]]}


def install(app: FastAPI, with_keys: bool) -> None:
    """Adds the schemas that the hand-written parts refer to, examples, and errors of all routes.

    Args:
        app: the service.
        with_keys: whether it wants API keys.
    """
    made = app.openapi

    def complete() -> dict[str, Any]:
        document = made()
        models: list[type[BaseModel]] = [*_ASKED, Problem, *_OIP]
        _, extra = models_json_schema([(m, "validation") for m in models], ref_template=_REF)
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas.update(extra["$defs"])
        # FastAPI's own form of a 422, which this service does not answer with.
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                _finish(method, path, operation, with_keys)
        if with_keys:
            document["components"]["securitySchemes"][_OTHER_SCHEME] = {
                "type": "apiKey",
                "in": "header",
                "name": access.HEADER,
            }
        else:
            document["components"].pop("securitySchemes", None)
        return document

    app.openapi = complete  # type: ignore[method-assign]


def _finish(method: str, path: str, operation: dict[str, Any], with_keys: bool) -> None:
    """Examples of what is sent and answered, and errors of many routes; may be done twice."""
    answers = operation["responses"]
    # A request that is too slow or too large is refused whatever it asks for.
    common = [408, 413, 431] if path in _ALWAYS else [408, 413, 431, 503]
    security = operation.pop("security", None)
    if security is not None and with_keys:
        common += [401, 403]
        scopes = security[0][access.SCHEME]
        operation["security"] = [{access.SCHEME: scopes}, {_OTHER_SCHEME: scopes}]
    for status in common:
        answers.setdefault(str(status), problems(status)[status])
    if "422" in answers:
        answers["422"] = problems(422)[422]
    for status, answer in answers.items():
        content = answer.get("content", {})
        if "application/problem+json" in content:
            content["application/problem+json"]["example"] = answered.problem(int(status))
    if (method, path) in answered.ANSWERS:
        answers["200"]["content"]["application/json"]["example"] = answered.ANSWERS[method, path]
    values = examples.parameters(path)
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            parameter["example"] = values[parameter["name"]]
        # Those that may be left out are None here; a URL or a header cannot say null.
        for kind in parameter["schema"].pop("anyOf", ()):
            if kind != {"type": "null"}:
                parameter["schema"].update(kind)
    for media, found in examples.REQUESTS.get((method, path), {}).items():
        operation["requestBody"]["content"][media]["examples"] = found

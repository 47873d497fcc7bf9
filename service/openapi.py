"""The parts of the OpenAPI document that FastAPI cannot see, since bodies are read by hand."""

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from service.oip.schemas import IndexBody, InferBody, LoadBody, UnloadBody
from service.schemas import Dial, PredictBody, PredictQuery, Problem

_OIP = (InferBody, IndexBody, LoadBody, UnloadBody)
_REF = "#/components/schemas/{model}"


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error responses of an endpoint."""
    content = {"application/problem+json": {"schema": {"$ref": _REF.format(model="Problem")}}}
    return {s: {"description": "Problem (RFC 9457)", "content": content} for s in statuses}


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """The request body of an endpoint that takes JSON."""
    schema = {"$ref": _REF.format(model=model.__name__)}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


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
                ("budget", "number", "GMACs."),
                ("preference", "string", 'JSON, as {"depth": 1.0}; or preference.depth=1.0.'),
                ("tasks", "string", "Comma-separated; all if not given."),
                ("task", "string", "The task to draw, with Accept: image/png."),
                ("request", "string", "All of these as one JSON object."),
            )
        ],
    }


def install(app: FastAPI) -> None:
    """Adds the schemas that the hand-written parts refer to."""
    made = app.openapi

    def complete() -> dict[str, Any]:
        document = made()
        models: list[type[BaseModel]] = [Dial, PredictBody, PredictQuery, Problem, *_OIP]
        _, extra = models_json_schema([(m, "validation") for m in models], ref_template=_REF)
        document.setdefault("components", {}).setdefault("schemas", {}).update(extra["$defs"])
        return document

    app.openapi = complete  # type: ignore[method-assign]

"""The HTTP reference, from the OpenAPI document of the service."""

import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

Node = Mapping[str, Any]
"""A part of the document."""

_REF = "#/components/schemas/"


def http_page(document: Node) -> str:
    """Markdown that describes every route and every schema of a document."""
    head = (
        "# HTTP API\n\nGenerated from the OpenAPI document of the service, which it answers itself "
        "at `/openapi.json`, with a page to try the routes on at `/docs`.\n"
    )
    schemas = document["components"]["schemas"]
    return "\n".join([head, *_routes(document["paths"]), *_schemas(schemas)]) + "\n"


def _routes(paths: Node) -> Iterator[str]:
    by_tag: dict[str, list[tuple[str, Node]]] = {}
    for path, methods in paths.items():
        for method, operation in methods.items():
            (tag,) = operation["tags"]
            by_tag.setdefault(tag, []).append((f"{method.upper()} {path}", operation))
    for tag, operations in by_tag.items():
        yield f"## {tag[:1].upper()}{tag[1:]}\n"
        for route, operation in operations:
            yield f"### `{route}`\n"
            yield f"**{operation['summary']}**\n\n{operation.get('description', '')}\n"
            yield from _parameters(operation.get("parameters", ()))
            yield from _request(operation.get("requestBody"))
            yield from _answers(operation["responses"])


def _parameters(parameters: list[Node]) -> Iterator[str]:
    if parameters:
        yield "| parameter | in | type | what |\n|---|---|---|---|"
    for p in parameters:
        kind, what = _type(p["schema"]), _cell(p.get("description", ""))
        yield f"| `{p['name']}`{_mark(p.get('required'))} | {p['in']} | {kind} | {what} |"
    yield ""


def _request(body: Node | None) -> Iterator[str]:
    if body is None:
        return
    yield "Request body, one of:\n"
    for media, content in body["content"].items():
        yield f"- `{media}`: {_type(content['schema'])}"
    yield ""
    for content in body["content"].values():
        for name, example in list(content.get("examples", {}).items())[:1]:
            yield f"For example, {name}:\n"
            yield from _json(example["value"])


def _answers(responses: Node) -> Iterator[str]:
    yield "| answer | when | content |\n|---|---|---|"
    for status, response in responses.items():
        content = response.get("content", {})
        what = HTTPStatus(int(status)).phrase
        details = [c["example"]["detail"] for m, c in content.items() if "problem" in m]
        kinds = ", ".join(
            f"`{media}`" + (f": {_type(c['schema'])}" if c.get("schema") else "")
            for media, c in content.items()
        )
        example = f", such as: *{_cell(details[0])}*" if details else ""
        yield f"| {status} | {what}{example} | {kinds} |"
    yield ""
    example = responses["200"].get("content", {}).get("application/json", {}).get("example")
    if example:
        yield "An answer:\n"
        yield from _json(example)


def _schemas(schemas: Node) -> Iterator[str]:
    yield "## Schemas\n\nFields with * are required.\n"
    for name, schema in schemas.items():
        yield f"### {name}\n"
        yield f"{schema.get('description', '')}\n"
        required = schema.get("required", ())
        rows = []
        for field, about in schema.get("properties", {}).items():
            default = about.get("default")
            shown = "" if default is None else f"`{json.dumps(default)}`"
            what = _cell(about.get("description", ""))
            rows.append([f"`{field}`{_mark(field in required)}", _type(about), shown, what])
        yield from _table(["field", "type", "default", "what"], rows)


def _table(header: list[str], rows: list[list[str]]) -> Iterator[str]:
    """A table without the columns that are empty."""
    kept = [i for i in range(len(header)) if any(row[i] for row in rows)]
    for cells in (header, ["---"] * len(header), *rows):
        yield f"| {' | '.join(cells[i] for i in kept)} |"
    yield ""


def _type(schema: Node) -> str:
    """The type of a value in a few words; schemas with a name link to their description."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_REF)
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_type(s) for s in schema["anyOf"] if s != {"type": "null"})
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return " or ".join(f"`{json.dumps(v)}`" for v in schema["enum"])
    kind: str = schema.get("type", "any")
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"map to {_type(schema['additionalProperties'])}"
    if schema.get("format") == "binary":
        return "bytes"
    return kind + _range(schema)


def _range(schema: Node) -> str:
    words = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = [f"{sign} {schema[word]:,}" for word, sign in words.items() if word in schema]
    return f" ({', '.join(limits)})" if limits else ""


def _mark(required: bool | None) -> str:
    return " \\*" if required else ""


def _json(value: object) -> Iterator[str]:
    yield f"```json\n{json.dumps(value, indent=2)}\n```\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")

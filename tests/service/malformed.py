"""Bodies that are broken: what clients really send, altered at random."""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jsonschema

from tests.service.running import encoded, picture

JSON = "application/json"
BOUNDARY = b"b0undary"


@dataclass(frozen=True)
class Sent:
    """A request."""

    path: str
    """As the OpenAPI document has it; what is in braces is to be filled in."""
    headers: dict[str, str]
    body: bytes
    query: str = ""


def broken(document: dict[str, Any], seed: int, dial: str) -> Iterator[Sent]:
    """Broken requests to every route that takes a body, for ever.

    JSON that the document's schema allows is left out: it would be no broken request. A picture or
    a form may come out intact.

    Args:
        document: the OpenAPI document.
        seed: of what is altered.
        dial: the query that dials the sub-network of predictions.
    """
    rng = random.Random(seed)
    image = encoded(picture())
    part = b'Content-Disposition: form-data; name="image"; filename="x.png"\r\n\r\n'
    form = b"--%s\r\n%s%s\r\n--%s--\r\n" % (BOUNDARY, part, image, BOUNDARY)
    routes = [p for p, methods in document["paths"].items() if "post" in methods]
    while True:
        path = rng.choice(routes)
        body = document["paths"][path]["post"]["requestBody"]
        kind = rng.choice(list(body["content"]))
        if kind == JSON:
            examples = [e["value"] for e in body["content"][JSON]["examples"].values()]
            yield Sent(path, _headers(rng, kind), _json(rng, document, body, examples))
        elif kind == "application/octet-stream":
            head = _altered(rng, _TENSOR)
            length = str(rng.choice([len(head), len(head) + 12, 0, 10**9, rng.randrange(99)]))
            headers = _headers(rng, kind) | {"Inference-Header-Content-Length": length}
            yield Sent(path, headers, head + _altered(rng, bytes(12)))
        elif kind == "multipart/form-data":
            headers = _headers(rng, f"{kind}; boundary={BOUNDARY.decode()}")
            yield Sent(path, headers, _altered(rng, form), dial)
        else:
            yield Sent(path, _headers(rng, kind), _altered(rng, image), dial)


def _headers(rng: random.Random, kind: str) -> dict[str, str]:
    strange = ("", "text/plain", "application/json; charset=utf-7", "multipart/form-data", "\xff/*")
    return {"Content-Type": kind if rng.random() < 0.95 else rng.choice(strange)}


def _json(
    rng: random.Random, document: dict[str, Any], body: dict[str, Any], examples: Sequence[object]
) -> bytes:
    whole = {"components": document["components"], **body["content"][JSON]["schema"]}
    allowed = jsonschema.Draft202012Validator(whole)
    while True:
        text = json.dumps(rng.choice(examples))
        if rng.random() < 0.5:
            altered = _altered(rng, text.encode())
        else:
            altered = _restructured(rng, json.loads(text))
        try:
            value = json.loads(altered)
        except (ValueError, RecursionError):
            return altered
        if altered and not allowed.is_valid(value):
            return altered


def _altered(rng: random.Random, content: bytes) -> bytes:
    """A few bytes flipped, taken away, put in, repeated or cut off."""
    found = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(found) + 1)
        length = min(rng.choice((1, 2, 8, 50)), len(found) - at)
        match rng.randrange(5):
            case 0 if length:
                found[at] ^= 1 << rng.randrange(8)
            case 1:
                del found[at : at + length]
            case 2:
                found[at:at] = rng.choice(_BYTES)
            case 3:
                found[at:at] = found[at : at + length] * rng.randint(1, 20)
            case _:
                del found[at + length :]
    return bytes(found)


def _restructured(rng: random.Random, value: Any) -> bytes:  # noqa: ANN401
    """A value of the JSON replaced by another one, taken away, or one put in."""
    places: list[tuple[Any, Any]] = []  # each a container and a key in it

    def walk(node: Any) -> None:  # noqa: ANN401
        for key in list(node) if isinstance(node, dict) else range(len(node)):
            places.append((node, key))
            if isinstance(node[key], dict | list):
                walk(node[key])
        if isinstance(node, dict):
            places.append((node, rng.choice(_NAMES)))

    holder = [value]
    walk(holder)
    container, key = rng.choice(places)
    container[key] = _MARK
    return json.dumps(holder[0]).encode().replace(json.dumps(_MARK).encode(), rng.choice(_VALUES))


_TENSOR = json.dumps(
    {
        "inputs": [
            {
                "name": "image",
                "shape": [1, 3, 1, 1],
                "datatype": "FP32",
                "parameters": {"binary_data_size": 12},
            }
        ]
    }
).encode()
_MARK = "the value to be replaced"
_NAMES = ("", "unknown", "__proto__", "\u0000", "budget", "inputs", "parameters", "x" * 5000)
_VALUES = (
    *(b"null", b"true", b"0", b"-1", b"1e999", b"-0.0", b"NaN", b"Infinity", b"9" * 5000, b"1.5"),
    *(b'""', b'"\\ud800"', b'"\\u0000"', b'"' + b"x" * 50_000 + b'"', b"[]", b"{}", b"[null]"),
    *(b'{"": {}}', b"[" * 2000 + b"]" * 2000, b'{"a":' * 500 + b"1" + b"}" * 500, b"\xff\xfe"),
)
_BYTES = (
    b"\x00",
    b"\xff\xfe",
    b"{",
    b"]",
    b'"',
    b"\\",
    b"\r\n",
    b"--",
    b"%s%n",
    b"\xf0\x9f\x92\xa5",
    b"=&",
)

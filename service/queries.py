"""What a prediction asks for, from query parameters or form fields: flat text to a PredictQuery.

``budget`` is a number of GMACs, or ``budget.latency_ms`` and the like are other kinds;
``preference`` is a JSON object, or one parameter per task
(``preference.depth=1.0``); ``tasks`` is comma-separated. Or ``request`` holds it all as JSON.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json, to_json
from starlette.datastructures import QueryParams

from service.bodies import parse_json
from service.errors import NotFoundError, TooLargeError, UnprocessableError
from service.schemas import PredictQuery

_MOST_FIELDS = 300
_MOST_CHARACTERS = 1 << 16


def query_for(subnet_id: str) -> PredictQuery:
    """For a sub-network by its id.

    Raises:
        NotFoundError: none can have this id.
    """
    try:
        return PredictQuery.model_validate({"subnet_id": subnet_id})
    except ValidationError as error:
        raise NotFoundError(f"unknown sub-network {subnet_id[:64]!r}") from error


@lru_cache(maxsize=256)
def query_in(text: bytes) -> PredictQuery:
    """As :func:`query_of`, for a URL's query string: clients send many images with the same one."""
    return query_of(QueryParams(text).multi_items())


def query_of(fields: Iterable[tuple[str, str]]) -> PredictQuery:
    """Checks flat fields as strictly as JSON.

    Raises:
        UnprocessableError: a field is unknown, given twice, or not what it should be.
        TooLargeError: they are larger together than any dial.
        BadRequestError: ``request`` is not JSON.
    """
    found: dict[str, Any] = {}
    pairs = list(fields)
    if len(pairs) > _MOST_FIELDS:
        raise UnprocessableError(f"more than {_MOST_FIELDS} fields")
    # As much as JSON of a dial may have: it is read on the event loop.
    if sum(len(name) + len(text) for name, text in pairs) > _MOST_CHARACTERS:
        raise TooLargeError(f"the fields have more than {_MOST_CHARACTERS} characters together")
    for name, text in pairs:
        _place(found, name, text)
    if "request" in found:
        if len(found) > 1:
            others = sorted(set(found) - {"request"})
            raise UnprocessableError(f"either the field request or {others}, not both")
        return parse_json(found["request"].encode(), PredictQuery)
    return parse_json(to_json(found, inf_nan_mode="constants"), PredictQuery)


def _place(found: dict[str, Any], name: str, text: str) -> None:
    head, dot, rest = name.partition(".")
    if name == "tasks":
        found.setdefault("tasks", []).extend(t.strip() for t in text.split(",") if t.strip())
    elif dot and head in ("budget", "preference"):
        inner = found.setdefault(head, {})
        if not isinstance(inner, dict) or rest in inner:
            raise UnprocessableError(f"{name} is given twice")
        inner[rest] = _value(name, text)
    elif name in found:
        raise UnprocessableError(f"{name} is given twice")
    elif name in ("preference", "adaptive"):
        found[name] = _value(name, text)
    elif name == "budget":
        value = _value(name, text)
        found[name] = value if isinstance(value, dict) else {"gmacs": value}
    else:
        found[name] = text


def _value(name: str, text: str) -> Any:  # noqa: ANN401
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise UnprocessableError(
            f"{name}: {text[:60]!r} is neither a number nor a JSON object"
        ) from error

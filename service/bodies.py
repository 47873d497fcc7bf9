"""Reading request bodies: JSON that is checked while it is parsed, and bounded."""

from typing import TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from service.errors import InvalidFieldsError, TooLargeError, UnsupportedMediaError

Model = TypeVar("Model", bound=BaseModel)

_SMALL_BYTES = 1 << 16
# The largest request that makes sense, with 256 preferences and outputs, has 1600 of the first.
_PARTS = 4096


def media_type(request: Request) -> str:
    """The Content-Type without parameters, in lower case; empty if there is none."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def refuse_compressed(request: Request) -> None:
    """Bodies are taken as they are: what unpacks to gigabytes is small on its way.

    Raises:
        UnsupportedMediaError: the body is said to be compressed.
    """
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise UnsupportedMediaError("compressed bodies are not taken: leave out Content-Encoding")


async def read_json(request: Request, model: type[Model]) -> Model:
    """A small JSON body as a model.

    Raises:
        UnsupportedMediaError: the body is not said to be JSON, or to be compressed.
        TooLargeError: more than 64 KiB.
        BadRequestError: not JSON. :class:`InvalidFieldsError`: JSON of another shape.
    """
    if media_type(request) != "application/json":
        raise UnsupportedMediaError("send JSON, with the header Content-Type: application/json")
    refuse_compressed(request)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _SMALL_BYTES:
            raise TooLargeError(f"the body is larger than {_SMALL_BYTES} bytes")
    return parse_json(bytes(body), model)


def refuse_intricate(body: bytes, lists: int = 0, numbers: int = 0) -> None:
    """JSON may not be made of many more parts than a request has.

    The parser makes all of them before it looks at the length of a list, and lets no other thread
    run meanwhile, that of the event loop neither: seconds, where to count takes milliseconds.

    Args:
        body: JSON.
        lists: the most that a tensor in it is made of.
        numbers: the most in these.

    Raises:
        TooLargeError: there are thousands more.
    """
    for what, marks, most in (
        ("members", b"{:", _PARTS),
        ("lists", b"[", _PARTS + lists),
        ("values", b",", _PARTS + numbers),
    ):
        found = sum(map(body.count, marks))
        if found > most:
            raise TooLargeError(
                f"the JSON has {found} {what}, {most} are allowed: send less at a time"
            )


def parse_json(body: bytes, model: type[Model]) -> Model:
    """JSON as a model. NaN, Infinity and deep nesting are refused by the parser.

    Raises:
        BadRequestError: not JSON. :class:`InvalidFieldsError`: JSON of another shape.
    """
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise InvalidFieldsError.of(error) from error

"""Reading request bodies: JSON that is checked while it is parsed, and bounded."""

from typing import TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from service.errors import InvalidFieldsError, TooLargeError, UnsupportedMediaError

Model = TypeVar("Model", bound=BaseModel)

_SMALL_BYTES = 1 << 16


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


def parse_json(body: bytes, model: type[Model]) -> Model:
    """JSON as a model. NaN, Infinity and deep nesting are refused by the parser.

    Raises:
        BadRequestError: not JSON. :class:`InvalidFieldsError`: JSON of another shape.
    """
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise InvalidFieldsError.of(error) from error

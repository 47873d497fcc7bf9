"""Errors as ``application/problem+json`` (RFC 9457) with an ``error`` string.

Every class carries its HTTP status; one function turns them into responses.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from model_store.published import ModelError
from model_store.subnet.search import InfeasibleBudget
from service import logs
from service.head import allowing_head

log = logging.getLogger(__name__)

_MOST_CHARACTERS = 1000


class ServiceError(Exception):
    """An error that a client is told about."""

    status: int = HTTPStatus.INTERNAL_SERVER_ERROR
    headers: Mapping[str, str] = MappingProxyType({})

    def __init__(self, detail: str, **extra: object) -> None:
        """What was wrong and what would be right.

        Args:
            detail: one or two sentences for a person.
            extra: further members of the problem.
        """
        super().__init__(detail)
        self.detail = detail
        self.extra = extra


class BadRequestError(ServiceError):
    """The request cannot be read."""

    status = HTTPStatus.BAD_REQUEST


class UnauthorizedError(ServiceError):
    """The request has no API key, or one that is not known."""

    status = HTTPStatus.UNAUTHORIZED

    def __init__(self, detail: str, challenge: str) -> None:
        """What is wrong with the key, and the ``WWW-Authenticate`` header (RFC 6750)."""
        super().__init__(detail)
        self.headers = {"WWW-Authenticate": challenge}


class ForbiddenError(ServiceError):
    """The request's API key does not have the scope that the route needs."""

    status = HTTPStatus.FORBIDDEN

    def __init__(self, detail: str, challenge: str, missing_scope: str) -> None:
        """Which scope, in words, as the ``WWW-Authenticate`` header, and by its name."""
        super().__init__(detail, missing_scope=missing_scope)
        self.headers = {"WWW-Authenticate": challenge}


class NotFoundError(ServiceError):
    """There is no such model or sub-network."""

    status = HTTPStatus.NOT_FOUND


class NotAcceptableError(ServiceError):
    """The answer cannot be given in the form that was asked for."""

    status = HTTPStatus.NOT_ACCEPTABLE


class TooLargeError(ServiceError):
    """The body or the image is larger than allowed."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class HeadTooLargeError(ServiceError):
    """Request line and headers, or trailers, are larger than allowed."""

    status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE

    def __init__(self, limit_bytes: int, what: str = "request line and the headers") -> None:
        """The most bytes that they may have together, and which they are."""
        super().__init__(f"the {what} are larger than {limit_bytes} bytes")


class SlowError(ServiceError):
    """The request does not arrive in the time that it is given."""

    status = HTTPStatus.REQUEST_TIMEOUT


class UnsupportedMediaError(ServiceError):
    """The body is of a type that is not taken here."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class UnprocessableError(ServiceError):
    """The request can be read and makes no sense."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY


class UnavailableError(ServiceError):
    """The service is not ready, is shutting down, or has no room for what a request brings."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    # A replica that starts, leaves or is full is so for seconds; meanwhile another one is there.
    headers = MappingProxyType({"Retry-After": "1"})


class CrowdedError(ServiceError):
    """The request came on a connection too many."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    headers = MappingProxyType({"Retry-After": "1", "Connection": "close"})


class OverloadedError(ServiceError):
    """As much waits as may: the client should come again."""

    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, detail: str, retry_after_s: int) -> None:
        """What is full, and the seconds until what waits now will be done."""
        super().__init__(f"{detail}: try again in {retry_after_s} s", retry_after_s=retry_after_s)
        self.headers = {"Retry-After": str(retry_after_s)}


class DeadlineError(ServiceError):
    """The time that the client, or the service, allows for a request is over."""

    status = HTTPStatus.GATEWAY_TIMEOUT

    @classmethod
    def waiting(cls) -> "DeadlineError":
        """The request's turn did not come in time."""
        return cls("the time for this request was over before its turn came")


class ClientLeftError(Exception):
    """The client closed its connection before there was an answer: nobody reads one."""


class InvalidFieldsError(UnprocessableError):
    """Fields that are missing, unknown or out of range."""

    def __init__(self, errors: Sequence[Mapping[str, Any]]) -> None:
        """From pydantic's list of errors."""
        found = [
            {
                "field": _shortened(".".join(str(p) for p in e["loc"])) or "(body)",
                # What pydantic puts before the words of a validator of ours.
                "problem": e["msg"].removeprefix("Value error, "),
            }
            for e in errors[:20]
        ]
        super().__init__("; ".join(f"{f['field']}: {f['problem']}" for f in found), fields=found)

    @classmethod
    def of(cls, error: ValidationError) -> ServiceError:
        """The error for a body that pydantic refused: 400 where it is no JSON at all."""
        errors = error.errors(include_url=False, include_context=False, include_input=False)
        if any(e["type"] == "json_invalid" for e in errors):
            return BadRequestError(f"the body is not JSON that can be read: {errors[0]['msg']}")
        return cls(errors)


def problem(
    status: int,
    detail: str,
    extra: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A problem document; ``error`` repeats the detail for clients that look for that name."""
    detail = _shortened(detail)
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "error": detail,
        **({} if (request_id := logs.request_id()) is None else {"request_id": request_id}),
        **(extra or {}),
    }
    return Response(
        json.dumps(body, allow_nan=False),
        status_code=status,
        media_type="application/problem+json",
        headers=dict(headers or {}),
    )


def _shortened(text: str) -> str:
    """What quotes the client, which may have sent anything, in the length of a paragraph."""
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]} ..."


def answer(error: Exception) -> Response:
    """The response to any exception."""
    match error:
        case ServiceError():
            return problem(error.status, error.detail, error.extra, error.headers)
        case ClientLeftError() | ClientDisconnect():  # waiting for its answer, or sending
            return Response(status_code=499)  # for the metrics, as nginx counts these
        case InfeasibleBudget():
            return problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                str(error),
                {
                    "feasible": {
                        f"min_{error.unit.name}": error.least / error.unit.scale,
                        f"max_{error.unit.name}": error.most / error.unit.scale,
                    }
                },
            )
        case RequestValidationError():
            return answer(InvalidFieldsError(error.errors()))
        case HTTPException():
            headers = dict(error.headers or {})
            if "Allow" in headers:
                headers["Allow"] = allowing_head(headers["Allow"])
            return problem(error.status_code, str(error.detail), headers=headers)
        case ModelError():
            log.error("%s", error.brief)
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, error.brief)
    log.error("unexpected error", exc_info=error)
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "unexpected error; the log has the details")


async def _handle(_: Request, error: Exception) -> Response:
    return answer(error)


def install(app: FastAPI) -> None:
    """Every expected error of the app goes through :func:`answer`; middleware sees to others."""
    for kind in (
        ServiceError,
        ClientLeftError,
        ClientDisconnect,
        InfeasibleBudget,
        ModelError,
        RequestValidationError,
        HTTPException,
    ):
        app.add_exception_handler(kind, _handle)

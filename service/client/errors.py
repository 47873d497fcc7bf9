"""What can go wrong, as exceptions made from ``application/problem+json`` (RFC 9457)."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any


class ClientError(Exception):
    """Anything that goes wrong in talking to the service."""


class TransportError(ClientError):
    """There was no answer: no connection, or a broken one."""


class IntegrityError(ClientError):
    """What came is not what it should be: its digest differs, or it has another shape."""


class ProblemError(ClientError):
    """The service answered with an error."""

    def __init__(self, status: int, detail: str, problem: Mapping[str, Any] | None = None) -> None:
        """An error as the service tells it.

        Args:
            status: of HTTP.
            detail: what was wrong and what would be right, in words.
            problem: all members of the problem document; empty where there was none.
        """
        super().__init__(f"{detail} (HTTP {status})")
        self.status = status
        self.detail = detail
        self.problem: Mapping[str, Any] = problem or {}

    def __reduce__(self) -> tuple[Any, ...]:
        # Between processes: an exception is otherwise made again from its text alone.
        return type(self), (self.status, self.detail, dict(self.problem)), self.__dict__


class UnauthorizedError(ProblemError):
    """The service wants an API key, or does not know this one (401)."""


class ForbiddenError(ProblemError):
    """The API key does not have the scope that this needs (403)."""


class NotFoundError(ProblemError):
    """There is no such model or sub-network (404)."""


class InvalidRequestError(ProblemError):
    """The request makes no sense, or is not allowed (other 4xx)."""

    @property
    def fields(self) -> tuple[Mapping[str, str], ...]:
        """Fields that are wrong, each with ``field`` and ``problem``."""
        return tuple(self.problem.get("fields", ()))


class InfeasibleBudgetError(InvalidRequestError):
    """No sub-network is that small (422)."""

    @property
    def feasible(self) -> Mapping[str, float]:
        """The budgets that can be had, by ``min_KIND`` and ``max_KIND`` of the kind asked for."""
        found: Mapping[str, float] = self.problem["feasible"]
        return found

    @property
    def least(self) -> float:
        """The smallest budget, in the unit asked in."""
        return min(self.feasible.values())

    @property
    def most(self) -> float:
        """The budget beyond which more buys nothing, in the unit asked in."""
        return max(self.feasible.values())


class OverloadedError(ProblemError):
    """As much waits as may (429)."""

    retry_after_s: float | None = None
    """When to come again, in seconds."""


class UnavailableError(ProblemError):
    """The service starts, leaves, or has lost something it needs (503)."""

    retry_after_s: float | None = None
    """When to come again, in seconds."""


class DeadlineError(ProblemError):
    """The time for the request was over (504, or 408 while it was sent), here or there."""


def problem_of(status: int, headers: Mapping[str, str], content: bytes) -> ProblemError:
    """The exception for a response that is not a success.

    Args:
        status: of the response.
        headers: of the response, by lower-case name.
        content: a problem document; where it is none (a proxy's page), the status has to do.
    """
    try:
        found = json.loads(content)
    except ValueError:
        found = None
    problem: Mapping[str, Any] = found if isinstance(found, dict) else {}
    detail = str(problem.get("detail") or problem.get("error") or _phrase(status))
    error = _kind(status, problem)(status, detail, problem)
    if isinstance(error, OverloadedError | UnavailableError):
        error.retry_after_s = _seconds(headers.get("retry-after"))
    return error


def _kind(status: int, problem: Mapping[str, Any]) -> type[ProblemError]:
    if isinstance(problem.get("feasible"), dict):
        return InfeasibleBudgetError
    kinds: dict[int, type[ProblemError]] = {
        401: UnauthorizedError,
        403: ForbiddenError,
        404: NotFoundError,
        408: DeadlineError,
        429: OverloadedError,
        503: UnavailableError,
        504: DeadlineError,
    }
    return kinds.get(status, InvalidRequestError if 400 <= status < 500 else ProblemError)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "unknown status"


def _seconds(retry_after: str | None) -> float | None:
    """The header in seconds; None without one, or with a date, which the service never sends."""
    if retry_after is None or not (retry_after.isascii() and retry_after.isdigit()):
        return None
    return float(retry_after)

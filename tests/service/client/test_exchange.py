import json
import math
import pickle

import pytest

from service.client import operations
from service.client.errors import (
    DeadlineError,
    InfeasibleBudgetError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    ProblemError,
    UnavailableError,
    problem_of,
)
from service.client.exchange import TIMEOUT_HEADER, Operation, Pause, Reply, Send, exchange
from service.client.operations import Dial


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def refused(status: int, retry_after: str | None = None) -> Reply:
    headers = {} if retry_after is None else {"retry-after": retry_after}
    return Reply(status, headers, json.dumps({"detail": "no", "error": "no"}).encode())


def answered(
    operation: Operation[Reply], *replies: Reply, clock: Clock
) -> tuple[Reply, list[float]]:
    """Carries an operation out with these replies; pauses only move the clock."""
    coming, pauses = iter(replies), []
    step = next(operation)
    try:
        while True:
            if isinstance(step, Pause):
                pauses.append(step.seconds)
                clock.seconds += step.seconds
                step = operation.send(None)
            else:
                step = operation.send(next(coming))
    except StopIteration as end:
        return end.value, pauses


OK = Reply(200, {}, b"{}")
REQUEST = Send("GET", "/models")


@pytest.mark.parametrize("status", [429, 503])
def test_what_was_refused_for_now_is_sent_again_when_the_service_says(status: int) -> None:
    clock = Clock()
    operation = exchange(REQUEST, clock() + 60, clock)
    first, second = refused(status, "2"), refused(status, "0")
    assert answered(operation, first, second, OK, clock=clock) == (OK, [2.0, 0.0])


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (refused(503), UnavailableError),  # no time is named
        (refused(429, "Tue, 29 Oct 2024 16:56:32 GMT"), OverloadedError),
        (refused(429, "60"), OverloadedError),  # too late
        (refused(504, "1"), DeadlineError),
        (refused(500, "1"), ProblemError),
        (refused(404, "1"), NotFoundError),
        (refused(422, "1"), InvalidRequestError),
    ],
)
def test_nothing_else_is(reply: Reply, kind: type[ProblemError]) -> None:
    clock = Clock()
    with pytest.raises(kind) as error:
        answered(exchange(REQUEST, clock() + 60, clock), reply, clock=clock)
    assert error.value.status == reply.status


def test_the_service_is_told_how_much_time_is_left() -> None:
    clock = Clock()
    operation = exchange(REQUEST, clock() + 10, clock)
    told = []
    step = next(operation)
    for _ in range(2):
        assert isinstance(step, Send)
        told.append((step.headers[TIMEOUT_HEADER], step.timeout_s))
        clock.seconds += 1
        assert operation.send(refused(429, "3")) == Pause(3.0)
        clock.seconds += 3
        step = operation.send(None)
    assert told == [("10000", 10.0), ("6000", 6.0)]


@pytest.mark.parametrize("status", [401, 403, 404, 408, 413, 422, 429, 500, 503, 504])
def test_errors_go_from_process_to_process(status: int) -> None:
    content = json.dumps({"detail": "no", "feasible": {"min_gmacs": 1.0}}).encode()
    for body in (content, b'{"detail": "no"}', b"a page"):
        error = problem_of(status, {"retry-after": "3"}, body)
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert vars(again) == vars(error)


def test_time_that_is_over_is_not_asked_for() -> None:
    clock = Clock()
    with pytest.raises(DeadlineError):
        next(exchange(REQUEST, clock(), clock))
    step = next(exchange(REQUEST, clock() + 1e-9, clock))
    assert isinstance(step, Send)
    assert step.headers[TIMEOUT_HEADER] == "1"
    assert step.timeout_s > 0
    assert math.isfinite(step.timeout_s)


def test_a_feasible_range_makes_an_infeasible_budget() -> None:
    feasible = {"min_gmacs": 0.1, "max_gmacs": 0.4}
    error = problem_of(422, {}, json.dumps({"detail": "no", "feasible": feasible}).encode())
    assert isinstance(error, InfeasibleBudgetError)
    assert (error.least, error.most) == (0.1, 0.4)


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b"\xff", b"null", b'{"a": 1}'])
def test_an_answer_of_somebody_else_is_an_error_too(content: bytes) -> None:
    error = problem_of(502, {}, content)
    assert error.detail == "Bad Gateway"
    assert type(problem_of(599, {}, content)) is ProblemError


def test_only_an_adaptive_prediction_says_so() -> None:
    for adaptive in (False, True):
        operation = operations.predicted(b"", Dial(0.1, {}, adaptive=adaptive), 9.0, lambda: 0.0)
        sent = next(operation)
        assert isinstance(sent, Send)
        assert json.loads(sent.query["request"]).get("adaptive", False) is adaptive

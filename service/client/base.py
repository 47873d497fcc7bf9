"""What the blocking and the asynchronous client have in common, beside the operations."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from service.client.answers import Subnet
from service.client.errors import DeadlineError, TransportError
from service.client.exchange import Reply, Send
from service.client.operations import Dial

# The service is given a moment to say itself that the time is over.
_GRACE_S = 1.0


class Base:
    """What both know."""

    def __init__(self, url: str, timeout_s: float, headers: Mapping[str, str]) -> None:
        """Where the service is, how long a call may take, and what is sent with each."""
        self._url = url.rstrip("/")
        self._timeout_s = timeout_s
        self._headers = dict(headers)

    def deadline(self, timeout_s: float | None) -> float:
        """The end of a call that begins now, on the monotonic clock."""
        return time.monotonic() + (self._timeout_s if timeout_s is None else timeout_s)

    def request(self, send: Send) -> dict[str, Any]:
        """As httpx takes it."""
        return {
            "method": send.method,
            "url": f"{self._url}{send.path}",
            "params": dict(send.query) or None,
            "headers": {**self._headers, **send.headers},
            "content": send.content or None,
            "timeout": send.timeout_s + _GRACE_S,
        }


def wanted_of(subnet: Subnet | str | None, dial: Dial | None) -> Dial | str:
    """The sub-network to predict with.

    Raises:
        ValueError: both ways to say it, or none.
    """
    if (subnet is None) == (dial is None):
        raise ValueError("either a subnet or a budget (with a preference) is needed")
    if dial is not None:
        return dial
    return subnet.subnet_id if isinstance(subnet, Subnet) else str(subnet)


def dial_of(
    budget: float | Mapping[str, float] | None,
    preference: Mapping[str, float] | None,
    model: str | None,
    tasks: Sequence[str] | None,
    adaptive: bool,
) -> Dial | None:
    """The dial that arguments make; None where there is no budget.

    Raises:
        ValueError: there is something else of a dial.
    """
    if budget is None:
        if preference is not None or model is not None or tasks is not None or adaptive:
            raise ValueError("preference, model, tasks and adaptive go with a budget")
        return None
    return Dial(budget, preference or {}, model, tasks, adaptive=adaptive)


def reply_of(response: httpx.Response) -> Reply:
    """A response, as operations want it."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Reply(response.status_code, headers, response.content)


def failure_of(error: httpx.HTTPError) -> Exception:
    """What stands for an exception of httpx."""
    if isinstance(error, httpx.TimeoutException):
        return DeadlineError(504, "there was no answer in time")
    return TransportError(f"no answer: {type(error).__name__}: {error}")

"""What the blocking and the asynchronous client have in common, beside the operations."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from service.client.answers import Subnet
from service.client.errors import DeadlineError, TransportError
from service.client.exchange import Reply, Send
from service.client.keys import key_headers
from service.client.operations import Dial

# The service is given a moment to say itself that the time is over.
_GRACE_S = 1.0

LONGEST_S = 86_400
"""Seconds that the service takes for a request, at the most: a day."""


class Base:
    """What both know."""

    def __init__(
        self,
        url: str,
        timeout_s: float,
        api_key: str | None,
        headers: Mapping[str, str] | None,
    ) -> None:
        """Where the service is, how long a call may take, and what is sent with each.

        Raises:
            ValueError: the URL is none of HTTP, the time is none, or the key fits in no header.
        """
        self._url = _checked_url(url)
        self._timeout_s = _checked_time(timeout_s)
        self._headers = httpx.Headers(key_headers(api_key))
        self._headers.update(headers)

    def deadline(self, timeout_s: float | None) -> float:
        """The end of a call that begins now, on the monotonic clock.

        Raises:
            ValueError: the time is none.
        """
        given = self._timeout_s if timeout_s is None else _checked_time(timeout_s)
        return time.monotonic() + given

    def request(self, send: Send) -> dict[str, Any]:
        """As httpx takes it."""
        headers = self._headers.copy()
        headers.update(send.headers)
        return {
            "method": send.method,
            "url": f"{self._url}{send.path}",
            "params": dict(send.query) or None,
            "headers": headers,
            "content": send.content or None,
            "timeout": longest_s(send),
        }


def _checked_url(url: str) -> str:
    try:
        found = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ValueError(f"{url!r} is no URL: {error}") from error
    if found.scheme not in ("http", "https") or not found.host:
        raise ValueError(f"a URL such as http://localhost:8000 is needed, found {url!r}")
    return url.rstrip("/")


def _checked_time(timeout_s: float) -> float:
    if not timeout_s <= LONGEST_S:
        raise ValueError(f"timeout_s is at most {LONGEST_S} seconds, found {timeout_s!r}")
    return timeout_s


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


def longest_s(send: Send) -> float:
    """How long an exchange may take, from the connection to the end of the answer."""
    return send.timeout_s + _GRACE_S


def reply_of(response: httpx.Response, content: bytes) -> Reply:
    """A response, as operations want it."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Reply(response.status_code, headers, content)


def failure_of(error: httpx.HTTPError | TimeoutError) -> Exception:
    """What stands for an exception of httpx, or for a time that is over."""
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return DeadlineError(504, "there was no answer in time")
    return TransportError(f"no answer: {type(error).__name__}: {error}")

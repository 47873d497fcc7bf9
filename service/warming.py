"""Filling the cache of a running service: a dial for every budget and preference of a grid.

Over HTTP, so that it is the service that builds, with its own settings and into its own cache. What
is cached already is a hit, so a run that was interrupted goes on where it stopped.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from service.client.keys import key_headers

_TRIES = 20
"""Times that a busy service is asked again for one dial."""


class WarmingError(Exception):
    """The service cannot be reached, or refuses what it is asked."""


@dataclass(frozen=True)
class Warmed:
    """What came of one dial."""

    dial: Mapping[str, Any]
    subnet_id: str | None
    """None where no sub-network is that small."""
    cache: str
    """hit, miss, or infeasible."""
    gmacs: float | None
    milliseconds: float


class Service:
    """One kept-alive connection to a running service."""

    def __init__(self, url: str, timeout_s: float = 120.0, api_key: str | None = None) -> None:
        """Connects when it is first asked.

        Args:
            url: of the service.
            timeout_s: of each request.
            api_key: where the service wants one; that of SLIMDIAL_API_KEY if None.

        Raises:
            WarmingError: the URL is not one of http or https with a host, or the key not one.
        """
        try:
            self._headers = {"Content-Type": "application/json", **key_headers(api_key)}
        except ValueError as error:
            raise WarmingError(str(error)) from error
        kinds = {"http": HTTPConnection, "https": HTTPSConnection}
        try:
            parts = urlsplit(url)
            if not parts.hostname or parts.port == 0:
                raise ValueError(url)
            self._connection = kinds[parts.scheme](parts.netloc, timeout=timeout_s)
        except (ValueError, KeyError, HTTPException) as error:
            raise WarmingError(
                f"expected http://HOST:PORT or https://..., found {url!r}"
            ) from error
        self._url = url
        self._prefix = parts.path.rstrip("/")

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    def ask(self, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, Any, int]:
        """Status, JSON, and the seconds of a Retry-After header (0 without).

        Raises:
            WarmingError: there is no answer, or it is not JSON.
        """
        method = "GET" if body is None else "POST"
        content = None if body is None else json.dumps(body)
        try:
            self._connection.request(method, self._prefix + path, content, self._headers)
            response = self._connection.getresponse()
            wait_s = response.headers.get("Retry-After", "0")
            answer = json.loads(response.read())
        except (OSError, HTTPException, ValueError) as error:
            self._connection.close()
            raise WarmingError(f"no answer from {self._url}: {error}; is it running?") from error
        return response.status, answer, int(wait_s) if wait_s.isdigit() else 0


def tasks_and_range(service: Service, model: str | None) -> tuple[str, list[str], float, float]:
    """The model's name, its tasks, and its least and most GMACs.

    Raises:
        WarmingError: there is no such model.
    """
    status, listed, _ = service.ask("/models")
    if status != 200:
        raise WarmingError(f"the service answered {status}: {listed.get('error', listed)}")
    known = {m["name"]: m for m in listed["models"]}
    name = model or next((n for n, m in known.items() if m["default"]), "")
    if name not in known:
        raise WarmingError(f"unknown model {name!r}; the service has {', '.join(known)}")
    found = known[name]
    return name, list(found["tasks"]), found["budget"]["min_gmacs"], found["budget"]["max_gmacs"]


def range_of(
    service: Service,
    model: str,
    tasks: Sequence[str],
    wait: Callable[[float], None] = time.sleep,
) -> tuple[float, float]:
    """The least and most GMACs of a model's sub-networks with these tasks only.

    Raises:
        WarmingError: the service does not answer, stays busy, or has no such tasks.
    """
    ends = {"model": model, "tasks": list(tasks), "points": 2}
    status, answer = _when_free(service, "/curve", ends, wait)
    if status != 200:
        raise WarmingError(f"the service answered {status}: {answer.get('error', answer)}")
    least, most = (point["budget"] for point in answer["points"])
    return least, most


def even_budgets(least: float, most: float, steps: int) -> list[dict[str, float]]:
    """Budgets in GMACs, evenly from the smallest sub-network to the largest."""
    if steps == 1:
        return [{"gmacs": most}]
    inner = [least + (most - least) * i / (steps - 1) for i in range(1, steps - 1)]
    return [{"gmacs": g} for g in (least, *inner, most)]


def usual_preferences(tasks: Sequence[str]) -> list[dict[str, float]]:
    """All tasks alike, and each one above all others."""
    alike = [dict.fromkeys(tasks, 1.0)]
    return alike if len(tasks) == 1 else alike + [{task: 1.0} for task in tasks]


def grid(
    model: str,
    budgets: Sequence[Mapping[str, float]],
    preferences: Sequence[Mapping[str, float]],
    tasks: Sequence[str] | None,
) -> list[dict[str, Any]]:
    """The body of ``POST /subnet`` for every budget and preference."""
    kept = {} if tasks is None else {"tasks": list(tasks)}
    return [
        {"model": model, "budget": dict(budget), "preference": dict(preference), **kept}
        for budget in budgets
        for preference in preferences
    ]


def warm(
    service: Service,
    dials: Sequence[Mapping[str, Any]],
    step: Callable[[Warmed], None] = lambda _: None,
    wait: Callable[[float], None] = time.sleep,
) -> list[Warmed]:
    """Asks for all dials, one after the other; a service that is busy (429, 503) is waited for.

    Raises:
        WarmingError: the service does not answer, stays busy, or refuses a dial as malformed.
    """
    found = []
    for dial in dials:
        found.append(_one(service, dial, wait))
        step(found[-1])
    return found


def _one(service: Service, dial: Mapping[str, Any], wait: Callable[[float], None]) -> Warmed:
    start = time.perf_counter()
    status, answer = _when_free(service, "/subnet", dial, wait)
    elapsed = 1e3 * (time.perf_counter() - start)
    if status == 200:
        return Warmed(dial, answer["subnet_id"], answer["cache"], answer["gmacs"], elapsed)
    if status == 422 and "feasible" in answer:
        return Warmed(dial, None, "infeasible", None, elapsed)
    raise WarmingError(f"the service answered {status}: {answer.get('error', answer)}")


def _when_free(
    service: Service, path: str, body: Mapping[str, Any], wait: Callable[[float], None]
) -> tuple[int, Any]:
    for _ in range(_TRIES):
        status, answer, retry_after_s = service.ask(path, body)
        if status not in (429, 503):
            return status, answer
        wait(max(1.0, retry_after_s))
    raise WarmingError(f"the service stays busy: {answer.get('error', answer)}")

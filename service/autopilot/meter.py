"""What happens to predictions, gathered window by window."""

import asyncio
import contextlib
import math
from collections.abc import Iterator

from service.autopilot.controller import Window
from service.errors import DeadlineError, OverloadedError

_QUANTILE = 0.9


class Meter:
    """Counts and times the predictions of one window. Belongs to one event loop."""

    def __init__(self, calm_ms: float) -> None:
        """Nothing has arrived.

        Args:
            calm_ms: the latency of a calm service, below the objective.
        """
        self._calm_s = calm_ms / 1e3
        self._seconds: list[float] = []
        self._arrived = 0
        self._answered = 0
        self._refused = 0

    @contextlib.contextmanager
    def prediction(self, since: float) -> Iterator[None]:
        """One prediction, from when it may queue until its answer is there.

        One that was cancelled, because its time was over or its client left, counts as never
        answered if its request had lasted longer than where all is calm; sooner, it was its
        client's choice. That is below the objective, which clients may send as the deadline, and
        counts from when the request came: on a full processor, much of the deadline is over before
        the prediction may queue.

        Args:
            since: when its request came, in seconds of the event loop's clock.
        """
        clock = asyncio.get_running_loop().time
        start = clock()
        self._arrived += 1
        try:
            yield
        except OverloadedError:
            self._refused += 1
            raise
        except (DeadlineError, asyncio.CancelledError):
            if clock() - since > self._calm_s:
                self._seconds.append(math.inf)
            raise
        self._answered += 1
        self._seconds.append(clock() - start)

    def window(self, waiting: int) -> Window:
        """Ends the window and begins the next one.

        Args:
            waiting: predictions that wait now.
        """
        ordered = sorted(self._seconds)
        last = max(0, math.ceil(_QUANTILE * len(ordered)) - 1)
        ended = Window(
            latency_ms=1e3 * ordered[last] if ordered else 0.0,
            arrived=self._arrived,
            answered=self._answered,
            refused=self._refused,
            waiting=waiting,
        )
        self._seconds, self._arrived, self._answered, self._refused = [], 0, 0, 0
        return ended

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

    def __init__(self) -> None:
        self._seconds: list[float] = []
        self._arrived = 0
        self._refused = 0

    @contextlib.contextmanager
    def prediction(self) -> Iterator[None]:
        """One prediction, from when it may queue until its answer is there.

        One that was cancelled, because its time was over or its client left, came too late.
        """
        clock = asyncio.get_running_loop().time
        start = clock()
        self._arrived += 1
        try:
            yield
        except (OverloadedError, DeadlineError, asyncio.CancelledError):
            self._refused += 1
            raise
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
            answered=len(ordered),
            refused=self._refused,
            waiting=waiting,
        )
        self._seconds, self._arrived, self._refused = [], 0, 0
        return ended

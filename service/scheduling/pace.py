"""How fast work goes, pure: what a client that was turned away is told to wait."""

import math

LONGEST_S = 60
"""A client that is told more than a minute would do better to ask again."""


class Pace:
    """A decaying mean of the seconds that one piece of work keeps a slot."""

    def __init__(self, weight: float = 0.1) -> None:
        """Nothing is known yet.

        Args:
            weight: of the newest measurement, in (0, 1].
        """
        self._weight = weight
        self._seconds: float | None = None

    def note(self, seconds: float, pieces: int = 1) -> None:
        """Takes in that ``pieces`` were done together in so many seconds."""
        each = seconds / pieces
        if self._seconds is None:
            self._seconds = each
        else:
            self._seconds += self._weight * (each - self._seconds)

    @property
    def seconds(self) -> float:
        """The mean; 0 while nothing is known."""
        return self._seconds or 0.0

    def retry_after(self, ahead: int, slots: int) -> int:
        """Seconds until ``ahead`` pieces of work are done: whole ones, from 1 to LONGEST_S.

        Args:
            ahead: pieces that wait or run.
            slots: pieces, or batches of them, that run at a time.
        """
        seconds = self.seconds * ahead / slots
        return min(max(1, math.ceil(seconds)), LONGEST_S)

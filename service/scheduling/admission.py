"""At most so many inside: who comes beyond that is turned away at once."""

import contextlib
from collections.abc import Iterator

from service.errors import OverloadedError


class Admission:
    """Counts those inside. For waits whose length is somebody else's business."""

    def __init__(self, what: str, limit: int) -> None:
        """Nobody is inside.

        Args:
            what: what those inside do, in words for the error.
            limit: the most inside.
        """
        self._what = what
        self._limit = limit
        self.inside = 0

    @contextlib.contextmanager
    def enter(self, retry_after_s: int) -> Iterator[None]:
        """Holds a place.

        Args:
            retry_after_s: what those are told who find none, in seconds.

        Raises:
            OverloadedError: all places are taken.
        """
        if self.inside >= self._limit:
            raise OverloadedError(f"{self.inside} {self._what}, as many as may", retry_after_s)
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1

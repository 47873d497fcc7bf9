"""The queue, pure: entries that wait, oldest first, bounded in number, taken in batches of a key.

It knows neither clocks nor tasks; times are passed in.
"""

import math
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class QueueFullError(Exception):
    """As many entries wait as may."""


@dataclass(frozen=True, eq=False)
class Entry(Generic[K, T]):
    """Something that waits for its turn. Two entries are equal only if they are the same."""

    key: K
    """Entries of one key may run together."""
    item: T
    arrived: float
    """Seconds on the caller's clock."""
    deadline: float = math.inf
    """Seconds on the same clock, from which on nobody wants it any more."""


@dataclass(frozen=True)
class Taken(Generic[K, T]):
    """What left the queue."""

    batch: tuple[Entry[K, T], ...]
    """Entries of one key, oldest first; empty if none is left."""
    expired: tuple[Entry[K, T], ...]
    """Entries whose deadline had passed: they are not to be run."""


class Waiting(Generic[K, T]):
    """A first-in-first-out queue whose oldest entry brings along others of its key.

    So there is no timer that an entry would wait for on an idle machine, and no key starves: a
    batch is always that of the entry that has waited longest.
    """

    def __init__(self, limit: int) -> None:
        """Nothing waits yet.

        Args:
            limit: the most entries that wait, at least 0.
        """
        self._limit = limit
        self._all: OrderedDict[Entry[K, T], None] = OrderedDict()
        self._by_key: dict[K, OrderedDict[Entry[K, T], None]] = {}

    def __len__(self) -> int:
        return len(self._all)

    def add(self, entry: Entry[K, T]) -> None:
        """Queues an entry.

        Raises:
            QueueFullError: as many wait as may.
        """
        if len(self._all) >= self._limit:
            raise QueueFullError
        self._all[entry] = None
        self._by_key.setdefault(entry.key, OrderedDict())[entry] = None

    def remove(self, entry: Entry[K, T]) -> bool:
        """Forgets an entry (its client has left); False if it does not wait (any more)."""
        if entry not in self._all:
            return False
        del self._all[entry]
        same = self._by_key[entry.key]
        del same[entry]
        if not same:
            del self._by_key[entry.key]
        return True

    def take(self, most: int, now: float) -> Taken[K, T]:
        """The next batch: up to ``most`` entries of the oldest entry's key, in order of arrival.

        Args:
            most: the most entries of a batch, at least 1.
            now: entries with a deadline up to now are expired.
        """
        expired: list[Entry[K, T]] = []
        while self._all:
            oldest = next(iter(self._all))
            if oldest.deadline <= now:  # its place in the order goes with it
                self.remove(oldest)
                expired.append(oldest)
                continue
            batch: list[Entry[K, T]] = []
            for entry in tuple(self._by_key[oldest.key]):
                if len(batch) == most:
                    break
                self.remove(entry)
                (batch if entry.deadline > now else expired).append(entry)
            return Taken(tuple(batch), tuple(expired))
        return Taken((), tuple(expired))

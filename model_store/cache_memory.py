"""Cache entries in this process's memory: what the service lives on while Redis is away."""

from collections import OrderedDict
from dataclasses import dataclass

ENTRY_BYTES = 300
"""What an entry takes beside its key and value: objects around them, and its place in the map."""


@dataclass(frozen=True)
class _Entry:
    value: bytes
    saved: bool


class MemoryEntries:
    """A least-recently-used map of byte strings, bounded by the memory that it takes.

    An entry is *saved* when Redis holds it as well; such a copy is read only while Redis is away,
    so that Redis stays the one truth while it is there. An entry that is not saved was made while
    Redis was away, or refused by it, and goes to Redis when that returns.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.bytes = 0
        """Of keys and values, and :data:`ENTRY_BYTES` of each entry."""
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: str, saved_too: bool) -> bytes | None:
        """The value under a key; an entry that Redis holds as well only with ``saved_too``."""
        entry = self._entries.get(key)
        if entry is None or (entry.saved and not saved_too):
            return None
        self._entries.move_to_end(key)
        return entry.value

    def put(self, key: str, value: bytes, saved: bool) -> None:
        """Keeps a value and drops the least recently used ones beyond the limit.

        One larger than the whole limit is not kept.
        """
        self.drop(key)
        size = _size(key, value)
        if size > self.limit_bytes:
            return
        self._entries[key] = _Entry(value, saved)
        self.bytes += size
        while self.bytes > self.limit_bytes:
            oldest, entry = self._entries.popitem(last=False)
            self.bytes -= _size(oldest, entry.value)

    def drop(self, key: str) -> None:
        """Forgets a key, if it is there."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.bytes -= _size(key, entry.value)

    def unsaved(self) -> tuple[tuple[str, bytes], ...]:
        """The entries that Redis does not hold, least recently used first."""
        return tuple((key, e.value) for key, e in self._entries.items() if not e.saved)


def _size(key: str, value: bytes) -> int:
    return len(key) + len(value) + ENTRY_BYTES

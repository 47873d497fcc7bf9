import os
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from model_store.cache_memory import ENTRY_BYTES, MemoryEntries

KEYS = st.sampled_from("abcdef")
EMPTY = ENTRY_BYTES + 1
"""Bytes of an entry without a value, under a key of one letter."""


def test_the_least_recently_used_goes_first() -> None:
    memory = MemoryEntries(limit_bytes=2 * EMPTY + 10)
    memory.put("a", b"1234", saved=False)
    memory.put("b", b"1234", saved=False)
    memory.get("a", saved_too=False)
    memory.put("c", b"1234", saved=False)
    assert memory.get("b", saved_too=True) is None
    assert memory.get("a", saved_too=True) == b"1234"


def test_a_copy_of_what_redis_holds_is_read_only_when_asked_for() -> None:
    memory = MemoryEntries(limit_bytes=2 * EMPTY + 2)
    memory.put("a", b"1", saved=True)
    memory.put("b", b"2", saved=False)
    assert memory.get("a", saved_too=False) is None
    assert memory.get("a", saved_too=True) == b"1"
    assert memory.unsaved() == (("b", b"2"),)


def test_a_value_larger_than_everything_is_not_kept_and_evicts_nothing() -> None:
    memory = MemoryEntries(limit_bytes=EMPTY + 4)
    memory.put("a", b"12", saved=False)
    memory.put("b", b"12345", saved=False)
    assert memory.get("a", saved_too=True) == b"12"
    assert len(memory) == 1


@given(st.lists(st.tuples(KEYS, st.binary(max_size=8), st.booleans())))
def test_bytes_are_counted_exactly_and_bounded(puts: list[tuple[str, bytes, bool]]) -> None:
    limit = 3 * EMPTY + 12
    memory = MemoryEntries(limit)
    for key, value, saved in puts:
        memory.put(key, value, saved)
        held = [memory.get(k, saved_too=True) for k in "abcdef"]
        assert memory.bytes == sum(EMPTY + len(v) for v in held if v is not None) <= limit
        assert memory.get(key, saved_too=True) == value


def test_thousands_of_small_entries_take_no_more_memory_than_is_counted() -> None:
    memory = MemoryEntries(limit_bytes=1 << 30)
    tracemalloc.start()
    try:
        for i in range(20_000):
            memory.put(f"slimdial:1:request:{i:064}", os.urandom(99), saved=True)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0.7 * memory.bytes < taken <= memory.bytes

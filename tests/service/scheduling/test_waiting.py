"""The queue as a model: a list that is searched from its front."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.scheduling.waiting import Entry, QueueFullError, Waiting

Entries = list[Entry[str, int]]


def entries(*keys: str, deadline: float = math.inf) -> Entries:
    return [Entry(key, item, float(item), deadline) for item, key in enumerate(keys)]


def queue(found: Entries, limit: int = 100) -> Waiting[str, int]:
    waiting: Waiting[str, int] = Waiting(limit)
    for entry in found:
        waiting.add(entry)
    return waiting


def test_the_oldest_brings_along_what_waits_for_the_same() -> None:
    waiting = queue(entries("a", "b", "a", "b", "a"))
    assert [e.item for e in waiting.take(2, 0.0).batch] == [0, 2]
    assert [e.item for e in waiting.take(2, 0.0).batch] == [1, 3]
    assert [e.item for e in waiting.take(2, 0.0).batch] == [4]
    assert waiting.take(2, 0.0).batch == ()


def test_beyond_the_limit_entries_are_refused() -> None:
    found = entries("a", "b", "c")
    waiting = queue(found[:2], limit=2)
    with pytest.raises(QueueFullError):
        waiting.add(found[2])
    waiting.take(1, 0.0)
    waiting.add(found[2])
    assert len(waiting) == 2


def test_an_entry_whose_client_has_left_is_never_taken() -> None:
    found = entries("a", "a", "b")
    waiting = queue(found)
    assert waiting.remove(found[0])
    assert not waiting.remove(found[0])
    assert waiting.take(9, 0.0).batch == (found[1],)


def test_expired_entries_are_set_apart_and_take_no_place_in_a_batch() -> None:
    late, good = entries("a", "a", deadline=5.0), entries("a", "b", deadline=9.0)
    waiting = queue([*late, *good])
    taken = waiting.take(1, 5.0)
    assert taken.expired == tuple(late)
    assert taken.batch == (good[0],)


def test_where_all_have_expired_there_is_no_batch() -> None:
    late = entries("a", "b", "a", deadline=1.0)
    taken = queue(late).take(2, 2.0)
    assert taken.batch == ()
    assert {e.item for e in taken.expired} == {0, 1, 2}


@given(
    keys=st.lists(st.sampled_from("abc"), max_size=30),
    most=st.integers(1, 5),
    left=st.sets(st.integers(0, 29)),
    expired=st.sets(st.integers(0, 29)),
)
def test_every_entry_leaves_once_with_its_like_in_order(
    keys: list[str], most: int, left: set[int], expired: set[int]
) -> None:
    found = [Entry(k, i, float(i), 1.0 if i in expired else 9.0) for i, k in enumerate(keys)]
    waiting = queue(found)
    for entry in found:
        if entry.item in left:
            assert waiting.remove(entry)
    expected = [e for e in found if e.item not in left]
    runnable = [e for e in expected if e.item not in expired]
    dropped: Entries = []
    ran: Entries = []
    while waiting:
        taken = waiting.take(most, 5.0)
        dropped += taken.expired
        if not taken.batch:
            continue
        ran += taken.batch
        oldest = min((e for e in runnable), key=lambda e: e.item)
        same = [e for e in runnable if e.key == oldest.key]
        assert list(taken.batch) == same[:most]
        runnable = [e for e in runnable if e not in taken.batch]
    assert sorted(e.item for e in [*ran, *dropped]) == sorted(e.item for e in expected)
    assert {e.item for e in dropped} == expired & {e.item for e in expected}

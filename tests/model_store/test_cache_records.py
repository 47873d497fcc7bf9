import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_store.cache_records import (
    CorruptEntryError,
    StoredSubnet,
    dump_subnet,
    load_subnet,
    seal,
    unseal,
)
from tests.model_store.cached import metadata

KEYS = st.text(st.characters(codec="ascii", categories=("L", "N")), max_size=20)


@given(KEYS, st.binary(max_size=200), st.integers(0, 10**14))
def test_what_was_sealed_comes_back(key: str, payload: bytes, fence: int) -> None:
    assert unseal(key, seal(key, payload, fence)) == payload


@given(st.binary(max_size=40), st.data())
def test_a_changed_byte_is_found_out(payload: bytes, data: st.DataObject) -> None:
    sealed = bytearray(seal("key", payload, 7))
    position = data.draw(st.integers(0, len(sealed) - 1))
    sealed[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CorruptEntryError):
        unseal("key", bytes(sealed))


@given(st.integers(0, 80))
def test_a_truncated_entry_is_found_out(length: int) -> None:
    with pytest.raises(CorruptEntryError):
        unseal("key", seal("key", b"payload", 1)[:length][:-1])


def test_an_entry_under_another_key_is_found_out() -> None:
    with pytest.raises(CorruptEntryError):
        unseal("other", seal("key", b"payload", 1))


def test_a_description_comes_back() -> None:
    stored = StoredSubnet(metadata(), "0" * 64, 5)
    assert load_subnet("key", dump_subnet(stored)) == stored


@pytest.mark.parametrize("payload", [b"", b"[]", b"{}", b'{"sha256": "", "bytes": 1}', b"\xff"])
def test_a_description_of_another_shape_is_corrupt(payload: bytes) -> None:
    with pytest.raises(CorruptEntryError):
        load_subnet("key", payload)

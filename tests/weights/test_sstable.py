"""The sorted string table: what is written is read, whatever the keys."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from quovadis.weights.protobuf_wire import encode_varint, read_varint
from quovadis.weights.sstable import read_table, write_table


@given(st.dictionaries(st.binary(max_size=20), st.binary(max_size=40), min_size=1, max_size=80))
def test_a_written_table_is_read_back_in_order(entries: dict[bytes, bytes]) -> None:
    assert list(read_table(write_table(entries)).items()) == sorted(entries.items())


@given(st.integers(0, (1 << 64) - 1))
def test_a_written_number_is_read_back(value: int) -> None:
    encoded = encode_varint(value)
    assert read_varint(encoded, 0) == (value, len(encoded))

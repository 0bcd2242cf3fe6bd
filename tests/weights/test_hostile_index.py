"""Indexes that are well-formed and lie: sizes beyond the file, shapes beyond memory, other machines' byte order."""

from __future__ import annotations

from pathlib import Path

import pytest

from quovadis.errors import WeightsError
from quovadis.weights import TensorFlowCheckpoint
from support.table_writer import block, entry, number, table, text

HEADER = number(1, 1)
FLOAT, STRING = number(1, 1), number(1, 7)


def shape(*sizes: int) -> bytes:
    return text(2, b"".join(text(2, number(1, size)) for size in sizes))


def checkpoint_with(tmp_path: Path, value: bytes, header: bytes = HEADER) -> TensorFlowCheckpoint:
    index = table([block(entry(b"", header) + entry(b"tensor", value))])
    (tmp_path / "model.ckpt.index").write_bytes(index)
    (tmp_path / "model.ckpt.data-00000-of-00001").write_bytes(b"\0" * 64)
    return TensorFlowCheckpoint(tmp_path)


def test_the_writer_of_these_tests_writes_what_the_reader_reads(tmp_path: Path) -> None:
    checkpoint = checkpoint_with(tmp_path, FLOAT + shape(2, 8) + number(5, 64))
    assert checkpoint.entry("tensor").shape == (2, 8)


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (FLOAT + shape(1 << 62) + number(5, 1 << 62), "cannot hold"),
        (FLOAT + shape(1 << 40) + number(5, 1 << 42), "cut off"),
        (FLOAT + shape(16) + number(4, -64) + number(5, 64), "cut off"),
        (FLOAT + shape(16) + number(4, 1 << 62) + number(5, 64), "cut off"),
        (FLOAT + shape(15) + number(5, 64), "cannot hold"),
        (FLOAT + shape(16) + number(5, 64), "checksum"),
        (FLOAT + shape(16) + number(3, 7) + number(5, 64), "data file 7 of 1"),
        (number(1, 99) + shape(16) + number(5, 64), "number 99"),
        (STRING + shape(1 << 40) + number(5, 64), "cannot hold"),
        (STRING + shape(3) + number(5, 64), "checksum of its lengths"),
        (FLOAT + shape(1 << 40) + text(7, b""), "parts"),
    ],
    ids=[
        "shape beyond numbers", "size beyond the file", "negative offset", "offset beyond the file", "shape and size",
        "wrong checksum", "no such data file", "unknown dtype", "strings beyond the size", "strings without checksum",
        "parts that are not there",
    ],
)  # fmt: skip
def test_an_entry_that_lies_is_refused_with_the_tensors_name(tmp_path: Path, value: bytes, complaint: str) -> None:
    checkpoint = checkpoint_with(tmp_path, value)
    with pytest.raises(WeightsError, match=complaint) as caught:
        checkpoint.read("tensor")
    assert "tensor tensor" in str(caught.value)


@pytest.mark.parametrize(
    ("value", "header", "complaint"),
    [
        (FLOAT + shape(-1), HEADER, "axis of unknown size"),
        (FLOAT + shape(*[1] * 255), HEADER, "255 axes"),
        (FLOAT, HEADER + number(2, 1), "big-endian"),
        (FLOAT, number(1, 1 << 40), "data files"),
        (b"\x0f", HEADER, "wire type 7"),
        (b"\x0a\xff", HEADER, "ends inside"),
    ],
)
def test_an_index_that_makes_no_sense_is_refused_when_it_is_opened(
    tmp_path: Path, value: bytes, header: bytes, complaint: str
) -> None:
    with pytest.raises(WeightsError, match=complaint):
        checkpoint_with(tmp_path, value, header)

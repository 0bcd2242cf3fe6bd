"""Indexes that are well-formed and lie: sizes beyond the file, shapes beyond memory, other machines' byte order."""

from __future__ import annotations

from pathlib import Path

import pytest
from hostile_index import bytes_field, number_field, write_index

from quovadis.errors import WeightsError
from quovadis.weights import TensorFlowCheckpoint

HEADER = number_field(1, 1)
FLOAT, STRING = number_field(1, 1), number_field(1, 7)


def shape(*sizes: int) -> bytes:
    return bytes_field(2, b"".join(bytes_field(2, number_field(1, size)) for size in sizes))


def checkpoint_with(tmp_path: Path, entry: bytes, header: bytes = HEADER) -> TensorFlowCheckpoint:
    write_index(tmp_path / "model.ckpt.index", {b"": header, b"tensor": entry})
    (tmp_path / "model.ckpt.data-00000-of-00001").write_bytes(b"\0" * 64)
    return TensorFlowCheckpoint(tmp_path)


def test_the_writer_of_these_tests_writes_what_the_reader_reads(tmp_path: Path) -> None:
    checkpoint = checkpoint_with(tmp_path, FLOAT + shape(2, 8) + number_field(5, 64))
    assert checkpoint.entry("tensor").shape == (2, 8)


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        (FLOAT + shape(1 << 62) + number_field(5, 1 << 62), "cannot hold"),
        (FLOAT + shape(1 << 40) + number_field(5, 1 << 42), "cut off"),
        (FLOAT + shape(16) + number_field(4, -64) + number_field(5, 64), "cut off"),
        (FLOAT + shape(16) + number_field(4, 1 << 62) + number_field(5, 64), "cut off"),
        (FLOAT + shape(15) + number_field(5, 64), "cannot hold"),
        (FLOAT + shape(16) + number_field(5, 64), "checksum"),
        (FLOAT + shape(16) + number_field(3, 7) + number_field(5, 64), "data file 7 of 1"),
        (number_field(1, 99) + shape(16) + number_field(5, 64), "number 99"),
        (STRING + shape(1 << 40) + number_field(5, 64), "cannot hold"),
        (STRING + shape(3) + number_field(5, 64), "checksum of its lengths"),
        (FLOAT + shape(1 << 40) + bytes_field(7, b""), "parts"),
    ],
    ids=[
        "shape beyond numbers", "size beyond the file", "negative offset", "offset beyond the file", "shape and size",
        "wrong checksum", "no such data file", "unknown dtype", "strings beyond the size", "strings without checksum",
        "parts that are not there",
    ],
)  # fmt: skip
def test_an_entry_that_lies_is_refused_with_the_tensors_name(tmp_path: Path, entry: bytes, complaint: str) -> None:
    checkpoint = checkpoint_with(tmp_path, entry)
    with pytest.raises(WeightsError, match=complaint) as caught:
        checkpoint.read("tensor")
    assert "tensor tensor" in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "header", "complaint"),
    [
        (FLOAT + shape(-1), HEADER, "axis of unknown size"),
        (FLOAT + shape(*[1] * 255), HEADER, "255 axes"),
        (FLOAT, HEADER + number_field(2, 1), "big-endian"),
        (FLOAT, number_field(1, 1 << 40), "data files"),
        (b"\x0f", HEADER, "wire type 7"),
        (b"\x0a\xff", HEADER, "ends inside"),
    ],
)
def test_an_index_that_makes_no_sense_is_refused_when_it_is_opened(
    tmp_path: Path, entry: bytes, header: bytes, complaint: str
) -> None:
    with pytest.raises(WeightsError, match=complaint):
        checkpoint_with(tmp_path, entry, header)

"""Checkpoints made to do harm: each ends in one short error, without a large allocation or a long wait."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from quovadis.errors import WeightsError
from quovadis.weights import TensorFlowCheckpoint, load_weights
from quovadis.weights.checksum import masked_crc32c
from quovadis.weights.slices import Extent, slice_key
from support.table_writer import HEADER, block, entry, extent, handle, table, tensor, varint, write_checkpoint

FLOATS = np.arange(4, dtype="<f4").tobytes()


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    """Fail a test that takes more than 64 MB or five seconds."""
    tracemalloc.start()
    started = time.monotonic()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 64e6
    assert time.monotonic() - started < 5


def part_key(*axes: tuple[int, int]) -> bytes:
    return slice_key("w", tuple(Extent(start, length) for start, length in axes))


def refuse(prefix: Path, name: str = "w") -> None:
    with pytest.raises(WeightsError) as caught:
        TensorFlowCheckpoint(prefix).read(name)
    assert str(prefix) in str(caught.value)
    assert str(caught.value).isprintable()


def test_the_writer_of_these_tests_writes_what_is_read(tmp_path: Path) -> None:
    prefix = write_checkpoint(tmp_path / "c", {b"w": tensor(FLOATS, (2, 2))}, FLOATS)
    assert TensorFlowCheckpoint(prefix).read("w").tolist() == [[0, 1], [2, 3]]


@pytest.mark.parametrize(
    "value",
    [
        tensor(FLOATS, (4,), offset=1),
        tensor(FLOATS, (4,), offset=1 << 62),
        tensor(FLOATS, (4,), offset=-8),
        tensor(FLOATS, (1 << 40,), size=1 << 42),
        tensor(FLOATS, (1 << 62, 1 << 62), size=-1),
        tensor(FLOATS, (-4,)),
        tensor(FLOATS, (5,)),
        tensor(b"", (0, 1 << 62, 1 << 62)),
        tensor(b"", (0,) * 70),
        tensor(FLOATS, (4,) + (1,) * 100),
    ],
    ids=lambda value: value[:24].hex(),
)
def test_places_and_shapes_that_cannot_be_are_refused(tmp_path: Path, value: bytes) -> None:
    refuse(write_checkpoint(tmp_path / "c", {b"w": value}, FLOATS))


def test_control_characters_in_a_name_do_not_reach_the_terminal(tmp_path: Path) -> None:
    name = "w\n\x1b[2Jrm"
    refuse(write_checkpoint(tmp_path / "c", {name.encode(): tensor(FLOATS, (5,))}, FLOATS), name)


def test_parts_that_lie_over_each_other_do_not_pass_for_the_whole(tmp_path: Path) -> None:
    whole = tensor(b"", (4,), parts=(extent(0, 2), extent(0, 2)))
    part = tensor(FLOATS[:8], (2,))
    refuse(write_checkpoint(tmp_path / "c", {b"w": whole, part_key((0, 2)): part}, FLOATS))


def test_a_part_named_many_times_is_not_read_many_times(tmp_path: Path) -> None:
    data = bytes(4_000_000)
    whole = tensor(b"", (1_000_000,), parts=(extent(0, 1_000_000),) * 200)
    part = tensor(data, (1_000_000,))
    refuse(write_checkpoint(tmp_path / "c", {b"w": whole, part_key((0, 1_000_000)): part}, data))


def test_keys_that_unfold_to_far_more_than_the_file_are_refused(tmp_path: Path) -> None:
    long = b"a" * 200_000
    entries = entry(b"", HEADER) + entry(long, b"")
    for place in range(2000):
        entries += varint(len(long)) + varint(6) + varint(0) + b"%06d" % place
    (tmp_path / "c.index").write_bytes(table([block(entries)]))
    with pytest.raises(WeightsError, match=r"c\.index"):
        TensorFlowCheckpoint(tmp_path / "c")


def test_one_block_named_again_and_again_is_refused(tmp_path: Path) -> None:
    # All restart points and no entry: nothing that could come out of order.
    count = 500_000
    contents = bytes(4 * count) + count.to_bytes(4, "little") + b"\0"
    empty = contents + masked_crc32c(contents).to_bytes(4, "little")
    first = block(entry(b"", HEADER))
    index = entry(b"0", handle(0, len(first) - 5))
    for place in range(20_000):
        index += entry(b"1%06d" % place, handle(len(first), len(empty) - 5))
    (tmp_path / "c.index").write_bytes(table([first, empty], index))
    with pytest.raises(WeightsError, match=r"c\.index"):
        TensorFlowCheckpoint(tmp_path / "c")


@pytest.mark.parametrize("name", ["x" * 5000, "a/" * 5000, "a\0b", ""])
def test_paths_that_no_file_can_have_are_ordinary_errors(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError):
        load_weights(name)


def test_a_checkpoint_of_a_big_endian_machine_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c.index").write_bytes(table([block(entry(b"", HEADER + b"\x10\x01"))]))
    with pytest.raises(WeightsError, match=r"c\.index: .*big-endian"):
        TensorFlowCheckpoint(tmp_path / "c")


def test_compressed_blocks_are_refused(tmp_path: Path) -> None:
    contents = block(entry(b"", HEADER))[:-5] + b"\x01"
    compressed = contents + masked_crc32c(contents).to_bytes(4, "little")
    (tmp_path / "c.index").write_bytes(table([compressed]))
    with pytest.raises(WeightsError, match=r"c\.index: .*compressed"):
        TensorFlowCheckpoint(tmp_path / "c")


def test_a_checkpoint_without_a_header_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c.index").write_bytes(table([block(entry(b"w", tensor(FLOATS, (4,))))]))
    with pytest.raises(WeightsError, match=r"c\.index: .*no header"):
        TensorFlowCheckpoint(tmp_path / "c")

"""TensorFlow's V2 checkpoints ("tensor bundles"), read without TensorFlow.

`PREFIX.index` is a sorted string table: under the empty key a `BundleHeaderProto`, under each tensor's name a
`BundleEntryProto` (tensorflow/core/protobuf/tensor_bundle.proto) with dtype, shape, offset and masked CRC-32C;
`PREFIX.data-00000-of-00001` … hold the bytes. Every checksum is verified when a tensor is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from quovadis.errors import WeightsError
from quovadis.weights.checkpoint_path import find_prefix, index_of
from quovadis.weights.checksum import mask, masked_crc32c
from quovadis.weights.file_sample import read_whole
from quovadis.weights.protobuf_wire import WireError, content, integer, read_fields, read_shape, read_varint
from quovadis.weights.slices import Extent, read_extents, slice_key, tile_exactly
from quovadis.weights.sstable import TableError, read_table

_MAX_INDEX_BYTES = 1 << 26
_MAX_ARRAY_DIMENSIONS = 32
"""NumPy's limit before version 2; TensorFlow's operations need no more than 8 or so."""
_MAX_PARTS = 10_000
_MAX_ELEMENTS = 1 << 58

_STRING, _BFLOAT16 = 7, 14
_DTYPES: Mapping[int, str] = {
    1: "<f4", 2: "<f8", 3: "<i4", 4: "u1", 5: "<i2", 6: "i1", 8: "<c8", 9: "<i8", 10: "?", 11: "i1", 12: "u1",
    13: "<i4", _BFLOAT16: "<u2", 15: "<i2", 16: "<u2", 17: "<u2", 18: "<c16", 19: "<f2", 22: "<u4", 23: "<u8",
}  # fmt: skip
"""NumPy's names for `DataType` of tensorflow/core/framework/types.proto; bfloat16 by its bits."""


@dataclass(frozen=True)
class TensorEntry:
    """What the index says of one tensor."""

    name: str
    dtype: int
    """`DataType` of TensorFlow."""
    shape: tuple[int, ...]
    shard: int
    """Number of the data file."""
    offset: int
    """First byte in the data file."""
    size: int
    """Bytes in the data file."""
    crc32c: int
    """Masked CRC-32C of these bytes."""
    slices: tuple[tuple[Extent, ...], ...] = ()
    """For a variable that was saved in parts: the extents of each part."""


class TensorFlowCheckpoint:
    """A V2 checkpoint on disk. Opening reads the index; tensors are read one by one."""

    def __init__(self, path: str | Path) -> None:
        """Open a checkpoint.

        Args:
            path: the prefix, the `.index` file, a `.data-…` file, or a folder that holds one checkpoint.

        Raises:
            WeightsError: there is no checkpoint at `path`, or its index is damaged.
        """
        self.prefix = find_prefix(Path(path))
        self.index_path = index_of(self.prefix)
        table = self._read_index()
        try:
            self._num_shards = self._read_header(table.pop(b"", None))
            self._entries = {key: _read_entry(key, value) for key, value in table.items()}
        except (WireError, UnicodeDecodeError) as error:
            raise WeightsError(f"{self.index_path}: damaged checkpoint index: {error}; fetch the file again") from error
        # Keys that begin with a zero byte name the parts of variables, not variables.
        self._names = tuple(key.decode() for key in self._entries if not key.startswith(b"\0"))
        self._known = frozenset(self._names)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all tensors, in order."""
        return self._names

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._known

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    @property
    def data_paths(self) -> tuple[Path, ...]:
        """The data files."""
        return tuple(self._data_path(shard) for shard in range(self._num_shards))

    def entry(self, name: str) -> TensorEntry:
        """Return what the index says of a tensor.

        Raises:
            WeightsError: no tensor has this name.
        """
        if name not in self:
            raise WeightsError(f"{self.index_path}: no tensor is called {_printable(name)}")
        return self._entries[name.encode()]

    def read(self, name: str) -> NDArray[Any]:
        """Read one tensor and verify its checksum.

        Returns:
            An array of its own; bfloat16 becomes float32, text becomes an object array of bytes.

        Raises:
            WeightsError: the data file is missing, short or damaged, or the tensor's kind is not supported.
        """
        entry = self.entry(name)
        if entry.slices:
            return self._read_parts(entry)
        return self._read_entry_data(entry)

    def _check_shape(self, entry: TensorEntry) -> None:
        # An axis of no elements must not hide others that no array can have.
        if len(entry.shape) > _MAX_ARRAY_DIMENSIONS or prod(axis for axis in entry.shape if axis) > _MAX_ELEMENTS:
            raise self._damaged(entry, f"no array can have its shape, {entry.shape[:_MAX_ARRAY_DIMENSIONS]}")

    def _read_parts(self, entry: TensorEntry) -> NDArray[Any]:
        self._check_shape(entry)
        parts, regions = [], []
        for extents in entry.slices:
            part = self._entries.get(slice_key(entry.name, extents))
            if part is None or len(extents) != len(entry.shape):
                raise self._damaged(entry, "one of its parts is missing from the index")
            region = tuple(extent.within(size) for extent, size in zip(extents, entry.shape, strict=True))
            if part.dtype != entry.dtype or part.shape != tuple(axis.stop - axis.start for axis in region):
                raise self._damaged(entry, "one of its parts has another shape or dtype than the index says")
            parts.append(part)
            regions.append(region)
        # Before anything is read or allocated: a part named twice would be read twice and leave a gap elsewhere.
        if len(parts) > _MAX_PARTS or not tile_exactly(regions, entry.shape):
            raise self._damaged(entry, "its parts do not make up the whole")
        values = [self._read_entry_data(part) for part in parts]
        whole: NDArray[Any] = np.empty(entry.shape, values[0].dtype)
        for region, read in zip(regions, values, strict=True):
            whole[region] = read
        return whole

    def _read_entry_data(self, entry: TensorEntry) -> NDArray[Any]:
        dtype = _DTYPES.get(entry.dtype)
        if dtype is None and entry.dtype != _STRING:
            raise self._damaged(entry, f"its dtype, number {entry.dtype} of TensorFlow's, is not supported")
        if dtype is not None and entry.size != prod(entry.shape) * np.dtype(dtype).itemsize:
            raise self._damaged(entry, f"{entry.size} bytes cannot hold the shape {entry.shape}")
        self._check_shape(entry)
        data = self._read_bytes(entry)
        if dtype is None:
            return self._decode_strings(entry, data)
        if masked_crc32c(data) != entry.crc32c:
            raise self._damaged(entry, "its checksum does not hold")
        values: NDArray[Any] = np.frombuffer(bytearray(data), dtype).reshape(entry.shape)
        if entry.dtype == _BFLOAT16:
            return (values.astype(np.uint32) << 16).view(np.float32)
        return values

    def _read_bytes(self, entry: TensorEntry) -> bytes:
        if not 0 <= entry.shard < self._num_shards:
            raise self._damaged(entry, f"it lies in data file {entry.shard} of {self._num_shards}")
        path = self._data_path(entry.shard)
        try:
            with path.open("rb") as file:
                available = file.seek(0, 2)
                if entry.offset < 0 or entry.size < 0 or entry.offset + entry.size > available:
                    end = entry.offset + entry.size
                    raise self._damaged(entry, f"{path.name} is cut off: it has {available:,} bytes of {end:,}")
                file.seek(entry.offset)
                data = file.read(entry.size)
        except OSError as error:
            raise WeightsError(
                f"{path}: tensor {_printable(entry.name)}: cannot read the data file: {error.strerror}"
            ) from error
        if len(data) != entry.size:
            raise self._damaged(entry, f"{path.name} ends early")
        return data

    def _decode_strings(self, entry: TensorEntry, data: bytes) -> NDArray[Any]:
        """Lengths as varints, their checksum, then the bytes (tensor_bundle.cc, `WriteStringTensor`)."""
        count = prod(entry.shape)
        if count > entry.size:
            raise self._damaged(entry, f"{entry.size} bytes cannot hold {count} strings")
        lengths, position, crc = [], 0, 0
        try:
            for _ in range(count):
                length, position = read_varint(data, position)
                lengths.append(length)
                crc = google_crc32c.extend(crc, length.to_bytes(4 if length < 1 << 32 else 8, "little"))
        except WireError as error:
            raise self._damaged(entry, str(error)) from error
        if data[position : position + 4] != mask(crc).to_bytes(4, "little"):
            raise self._damaged(entry, "the checksum of its lengths does not hold")
        crc = google_crc32c.extend(crc, data[position : position + 4])
        position += 4
        if mask(google_crc32c.extend(crc, data[position:])) != entry.crc32c or position + sum(lengths) != len(data):
            raise self._damaged(entry, "its checksum does not hold")
        values = np.empty(count, object)
        for index, length in enumerate(lengths):
            values[index] = data[position : position + length]
            position += length
        return values.reshape(entry.shape)

    def _damaged(self, entry: TensorEntry, why: str) -> WeightsError:
        path = self._data_path(entry.shard) if 0 <= entry.shard < self._num_shards else self.index_path
        return WeightsError(f"{path}: tensor {_printable(entry.name)}: {why}; fetch the file again")

    def _data_path(self, shard: int) -> Path:
        return self.prefix.with_name(f"{self.prefix.name}.data-{shard:05d}-of-{self._num_shards:05d}")

    def _read_index(self) -> dict[bytes, bytes]:
        table = read_whole(self.index_path, _MAX_INDEX_BYTES, "a checkpoint's index")
        try:
            return read_table(table)
        except TableError as error:
            raise WeightsError(f"{self.index_path}: not a TensorFlow checkpoint index, or damaged: {error}") from error

    def _read_header(self, value: bytes | None) -> int:
        if value is None:
            raise WireError("it has no header")
        fields = dict(read_fields(value))
        shards = integer(fields.get(1, 0))
        if integer(fields.get(2, 0)) != 0:
            raise WireError("it was written on a big-endian machine, which is not supported")
        if not 1 <= shards <= 99_999:
            raise WireError(f"it claims {shards} data files")
        return shards


def _read_entry(key: bytes, value: bytes) -> TensorEntry:
    dtype = shard = offset = size = crc32c = 0
    shape: tuple[int, ...] = ()
    slices = []
    for number, field in read_fields(value):
        match number:
            case 1:
                dtype = integer(field)
            case 2:
                shape = read_shape(content(field))
            case 3:
                shard = integer(field)
            case 4:
                offset = integer(field)
            case 5:
                size = integer(field)
            case 6:
                crc32c = integer(field)
            case 7:
                slices.append(read_extents(content(field)))
    name = key.decode() if not key.startswith(b"\0") else f"part {key!r}"
    return TensorEntry(name, dtype, shape, shard, offset, size, crc32c, tuple(slices))


def _printable(name: str) -> str:
    """Keep line breaks and a terminal's control characters, which a hostile name may hold, out of messages."""
    return name if name.isprintable() else ascii(name)

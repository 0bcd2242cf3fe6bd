"""TensorFlow's V1 checkpoints, read without TensorFlow: one file, as TensorFlow wrote until version 0.12.

TF-slim's published checkpoints, such as `inception_v1.ckpt`, are of this format. The file is a sorted string table. Its
empty key holds the names and shapes of all tensors, a `SavedTensorSliceMeta`; a key made of a tensor's name and extents
holds its values, a `SavedSlice` (tensorflow/core/util/saved_tensor_slice.proto). Every block of the table has a
checksum, which is verified.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from glob import escape
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quovadis.errors import WeightsError
from quovadis.weights.file_sample import quoted, read_whole
from quovadis.weights.protobuf_wire import WireError, content, integer, read_fields, read_shape
from quovadis.weights.slices import Extent, read_extents, slice_key, tile_exactly
from quovadis.weights.sstable import TableError, read_table

_MAX_BYTES = 1 << 30
"""Of the whole file. Inception-v1 takes 27 MB, and with an optimiser's variables four times that."""
_MAX_DIMENSIONS = 32
"""NumPy's limit before version 2."""
_MAX_PARTS = 10_000
_META, _DATA = 1, 2
"""Fields of `SavedTensorSlices`."""
_SHARD = re.compile(r"-\d{5}-of-(\d{5})$")
"""How the name of a file ends that TensorFlow's sharded saver writes; a checkpoint may be one such file."""
_VALUES: Mapping[int, tuple[str, int]] = {1: ("<f4", 5), 2: ("<f8", 6)}
"""By `DataType`: NumPy's name, and the field of `TensorProto` that holds the values. Weights have no other dtypes."""


def refuse_shard(path: Path) -> None:
    """Refuse one of several files of a checkpoint, by its name, or a name that all of them begin with.

    Raises:
        WeightsError: saying how to make one file of them.
    """
    parts = [path] if path.exists() else sorted(path.parent.glob(f"{escape(path.name)}-*-of-*"))
    for part in parts:
        found = _SHARD.search(part.name)
        if found and int(found[1]) > 1:
            raise WeightsError(
                f"{part}: one of {int(found[1])} files of a sharded TensorFlow V1 checkpoint, which is not read: save "
                "it as one file, with tf.compat.v1.train.Saver(sharded=False)"
            )


@dataclass(frozen=True)
class SavedTensor:
    """What the file says of one tensor."""

    name: str
    dtype: int
    """`DataType` of TensorFlow."""
    shape: tuple[int, ...]
    slices: tuple[tuple[Extent, ...], ...]
    """Extents of each part; one part, the whole, unless the variable was partitioned."""


class TensorFlowV1Checkpoint:
    """A V1 checkpoint. Opening reads the file and verifies its checksums; tensors are decoded one by one."""

    def __init__(self, path: Path) -> None:
        """Open a checkpoint.

        Raises:
            WeightsError: the file cannot be read, is damaged, is no V1 checkpoint, or is one of several.
        """
        refuse_shard(path)
        self.path = path
        self._table = self._read_file()
        try:
            tensors = list(self._read_meta(self._table.pop(b"", b"")))
        except (WireError, UnicodeDecodeError) as error:
            raise WeightsError(f"{path}: damaged TensorFlow V1 checkpoint: {error}; fetch the file again") from error
        self._tensors = {tensor.name: tensor for tensor in tensors}

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every tensor, by its name."""
        return {name: tensor.shape for name, tensor in self._tensors.items()}

    def read(self, name: str) -> NDArray[Any]:
        """Decode one tensor.

        Returns:
            An array of its own, float32 or float64.

        Raises:
            WeightsError: there is no such tensor, it is damaged, or its dtype is not supported.
        """
        tensor = self._tensors.get(name)
        if tensor is None:
            raise WeightsError(f"{self.path}: no tensor is called {quoted(name)}")
        if tensor.dtype not in _VALUES:
            raise WeightsError(
                f"{self.path}: tensor {quoted(name)} has the dtype number {tensor.dtype} of TensorFlow's, which is not "
                "read; save the weights as float32"
            )
        try:
            regions = [_region(extents, tensor.shape) for extents in tensor.slices]
            # Before anything is allocated: so the parts, which lie in the file, are as large as the whole.
            if len(regions) > _MAX_PARTS or not tile_exactly(regions, tensor.shape):
                raise self._damaged(tensor, "its parts do not make up the whole")
            parts = [self._read_part(tensor, *part) for part in zip(tensor.slices, regions, strict=True)]
        except WireError as error:
            raise self._damaged(tensor, str(error)) from error
        whole: NDArray[Any] = np.empty(tensor.shape, parts[0].dtype)
        for region, values in zip(regions, parts, strict=True):
            whole[region] = values
        return whole

    def _read_part(self, tensor: SavedTensor, extents: tuple[Extent, ...], region: tuple[slice, ...]) -> NDArray[Any]:
        saved = self._table.get(slice_key(tensor.name, extents))
        if saved is None:
            raise self._damaged(tensor, "its values are missing")
        dtype, field = _VALUES[tensor.dtype]
        data = b"".join(
            content(values)
            for kind, message in read_fields(saved)
            if kind == _DATA
            for part, proto in read_fields(content(message))
            if part == 3
            for number, values in read_fields(content(proto))
            if number == field
        )
        shape = tuple(axis.stop - axis.start for axis in region)
        if len(data) != prod(shape) * np.dtype(dtype).itemsize:
            raise self._damaged(tensor, f"{len(data):,} bytes of values cannot be of the shape {shape}")
        return np.frombuffer(data, dtype).reshape(shape)

    def _read_file(self) -> dict[bytes, bytes]:
        table = read_whole(self.path, _MAX_BYTES, "a TensorFlow V1 checkpoint of this network")
        try:
            return read_table(table)
        except TableError as error:
            raise WeightsError(f"{self.path}: not a TensorFlow V1 checkpoint, or damaged: {error}") from error

    def _read_meta(self, saved: bytes) -> Iterator[SavedTensor]:
        header = dict(read_fields(saved))
        if isinstance(header.get(1), int):
            name = self.path.name
            raise WeightsError(
                f"{self.path}: the index of a TensorFlow V2 checkpoint that lost its suffix: name it {name}.index, "
                f"beside {name}.data-00000-of-00001"
            )
        if _META not in header:
            raise WireError("it does not say what is in it")
        for number, tensor in read_fields(content(header[_META])):
            if number == 1:
                yield _read_tensor(content(tensor))

    def _damaged(self, tensor: SavedTensor, why: str) -> WeightsError:
        return WeightsError(f"{self.path}: tensor {quoted(tensor.name)}: {why}; fetch the file again")


def _read_tensor(message: bytes) -> SavedTensor:
    """Read a `SavedSliceMeta`."""
    name, dtype = "", 0
    shape: tuple[int, ...] = ()
    slices = []
    for number, field in read_fields(message):
        match number:
            case 1:
                name = content(field).decode()
            case 2:
                shape = read_shape(content(field))
            case 3:
                dtype = integer(field)
            case 4:
                slices.append(read_extents(content(field)))
    # An axis of no elements must not hide others that no array can have.
    if len(shape) > _MAX_DIMENSIONS or prod(axis for axis in shape if axis) > _MAX_BYTES:
        raise WireError(f"tensor {quoted(name)} has the shape {shape[:_MAX_DIMENSIONS]}, which no array in it can have")
    if not slices:
        raise WireError(f"tensor {quoted(name)} has no values")
    return SavedTensor(name, dtype, shape, tuple(slices))


def _region(extents: tuple[Extent, ...], shape: tuple[int, ...]) -> tuple[slice, ...]:
    if len(extents) != len(shape):
        raise WireError("one of its parts has another number of axes")
    return tuple(extent.within(size) for extent, size in zip(extents, shape, strict=True))

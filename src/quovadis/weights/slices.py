"""Parts of a partitioned variable: which region each holds, and under which key the index keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from quovadis.weights.protobuf_wire import WireError, content, integer, read_fields

_FULL = -1


@dataclass(frozen=True)
class Extent:
    """A range along one axis."""

    start: int
    length: int
    """-1: the whole axis."""

    def within(self, size: int) -> slice:
        """Return the range as a slice of an axis of `size` elements."""
        return slice(0, size) if self.length == _FULL else slice(self.start, self.start + self.length)


def tile_exactly(regions: Sequence[tuple[slice, ...]], shape: tuple[int, ...]) -> bool:
    """Tell whether the regions cover every element of `shape` once.

    They do if they fill it, none reaches beyond it and no two share an element; the last is looked for among regions
    in order of their start on the first axis, so that parts along one axis, the usual case, take no quadratic time.
    """
    if any(axis.stop > size for region in regions for axis, size in zip(region, shape, strict=True)):
        return False
    filled = sorted((region for region in regions if _volume(region)), key=lambda region: [a.start for a in region])
    if sum(map(_volume, filled)) != prod(shape):
        return False
    open_regions: list[tuple[slice, ...]] = []
    for region in filled:
        open_regions = [other for other in open_regions if not other or other[0].stop > region[0].start]
        if any(_share(region, other) for other in open_regions):
            return False
        open_regions.append(region)
    return True


def _volume(region: tuple[slice, ...]) -> int:
    return prod(axis.stop - axis.start for axis in region)


def _share(one: tuple[slice, ...], other: tuple[slice, ...]) -> bool:
    return all(a.start < b.stop and b.start < a.stop for a, b in zip(one, other, strict=True))


def read_extents(message: bytes) -> tuple[Extent, ...]:
    """Read a `TensorSliceProto` (tensorflow/core/framework/tensor_slice.proto).

    Raises:
        WireError: the message is malformed.
    """
    extents = []
    for number, field in read_fields(message):
        if number == 1:
            values = dict(read_fields(content(field)))
            start, length = integer(values.get(1, 0)), integer(values.get(2, _FULL % (1 << 64)))
            if start < 0 or length < _FULL:
                raise WireError("a part of a tensor has a negative extent")
            extents.append(Extent(start, length))
    return tuple(extents)


def slice_key(name: str, extents: tuple[Extent, ...]) -> bytes:
    """Return the key of a part (tensorflow/core/util/saved_tensor_slice_util.cc, `EncodeTensorNameSlice`)."""
    text = name.encode().replace(b"\xff", b"\xff\x00").replace(b"\0", b"\0\xff")
    key = b"\0" + text + b"\0\x01" + _number(len(extents))
    for extent in extents:
        key += _signed(extent.start) + _signed(extent.length)
    return key


def _number(value: int) -> bytes:
    """Encode a natural number so that bytes sort as numbers do: its length, then its bytes, high ones first."""
    length = (value.bit_length() + 7) // 8
    return bytes([length]) + value.to_bytes(length, "big")


def _signed(value: int) -> bytes:
    """Encode a signed number likewise: leading ones count the bytes (lib/strings/ordered_code.cc)."""
    if value == _FULL:
        return b"\x7f"
    length = value.bit_length() // 7 + 1
    header = ((1 << length) - 1) << (7 * length)
    return (header | value).to_bytes(length, "big")

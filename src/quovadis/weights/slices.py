"""Parts of a partitioned variable: which region each holds, and under which key the index keeps it."""

from __future__ import annotations

from dataclasses import dataclass

from quovadis.weights.wire import WireError, content, integer, read_fields

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

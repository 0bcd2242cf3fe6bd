"""Just enough of the protocol buffer wire format to read TensorFlow's checkpoints and frozen graphs.

https://protobuf.dev/programming-guides/encoding
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

Field: TypeAlias = "tuple[int, int | bytes]"
"""Field number and value: an integer for varints and fixed-width numbers, bytes for everything of a stated length."""

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10
_WORD = 1 << 64
_MAX_DIMENSIONS = 254
"""TensorFlow's limit."""


class WireError(ValueError):
    """Bytes that are no message."""


def read_varint(data: bytes, position: int) -> tuple[int, int]:
    """Return the unsigned 64-bit number at `position`, and the position after it.

    Raises:
        WireError: the data ends first, or the number is too long.
    """
    value = 0
    for count in range(_LONGEST_VARINT):
        if position >= len(data):
            raise WireError("ends inside a number")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            return value % _WORD, position
    raise WireError("holds a number of more than 64 bits")


def read_fields(message: bytes) -> Iterator[Field]:
    """Yield each field of `message` in order.

    Raises:
        WireError: the message is cut off, or uses a wire type that does not exist.
    """
    position = 0
    while position < len(message):
        tag, position = read_varint(message, position)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, position = read_varint(message, position)
            yield number, value
            continue
        if kind == _LENGTH:
            length, position = read_varint(message, position)
        elif kind in (_FIXED32, _FIXED64):
            length = 4 if kind == _FIXED32 else 8
        else:
            raise WireError(f"uses the wire type {kind}, which does not exist")
        content = message[position : position + length]
        if len(content) != length:
            raise WireError("ends inside a field")
        position += length
        yield number, content if kind == _LENGTH else int.from_bytes(content, "little")


def integer(value: int | bytes) -> int:
    """Return a field's value as the signed 64-bit number it stands for.

    Raises:
        WireError: the field holds bytes.
    """
    if isinstance(value, bytes):
        raise WireError("holds bytes where a number belongs")
    return value - _WORD if value >= _WORD // 2 else value


def content(value: int | bytes) -> bytes:
    """Return a field's bytes.

    Raises:
        WireError: the field holds a number.
    """
    if isinstance(value, int):
        raise WireError("holds a number where bytes belong")
    return value


def read_shape(message: bytes) -> tuple[int, ...]:
    """Read a `TensorShapeProto` (tensorflow/core/framework/tensor_shape.proto).

    Raises:
        WireError: the message is malformed, or the shape is not wholly known.
    """
    shape = []
    for number, field in read_fields(message):
        if number == 2:
            size = next((integer(value) for key, value in read_fields(content(field)) if key == 1), 0)
            if size < 0:
                raise WireError("a tensor has an axis of unknown size")
            shape.append(size)
        elif number == 3 and integer(field):
            raise WireError("a tensor is of unknown rank")
    if len(shape) > _MAX_DIMENSIONS:
        raise WireError(f"a tensor has {len(shape)} axes")
    return tuple(shape)


def encode_varint(value: int) -> bytes:
    """Return an unsigned number as a varint."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def encode_integer(number: int, value: int) -> bytes:
    """Return an unsigned integer field; nothing for 0, as protocol buffers of version 3 have it."""
    return encode_varint(number << 3 | _VARINT) + encode_varint(value) if value else b""


def encode_fixed32(number: int, value: int) -> bytes:
    """Return a field of 32 bits."""
    return encode_varint(number << 3 | _FIXED32) + value.to_bytes(4, "little")


def encode_content(number: int, value: bytes) -> bytes:
    """Return a field of bytes or of a message."""
    return encode_varint(number << 3 | _LENGTH) + encode_varint(len(value)) + value

"""The sorted string table of TensorFlow's checkpoints: LevelDB's file format.

V2 checkpoints keep their index in one, V1 checkpoints everything.

https://github.com/google/leveldb/blob/main/doc/table_format.md. Blocks of prefix-compressed entries, each block
followed by its compression type and the masked CRC-32C of both; a footer at the end points to the index of blocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from quovadis.weights.checksum import masked_crc32c
from quovadis.weights.protobuf_wire import WireError, encode_varint, read_varint

MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
"""The last bytes of every table."""
_FOOTER_BYTES = 48
_TRAILER_BYTES = 5
_UNCOMPRESSED = 0
_RESTART_INTERVAL = 16
"""Entries from one whole key to the next, as TensorFlow writes them."""
_MAX_KEY_BYTES = 1 << 24
"""Of all keys together: prefix compression can unfold a small table into any amount."""


class TableError(ValueError):
    """Bytes that are no sorted string table, or are damaged."""


def read_table(data: bytes) -> dict[bytes, bytes]:
    """Return every entry of the table, in order of key; each block's checksum is verified.

    Raises:
        TableError: a footer, block or entry is not as it should be.
    """
    if len(data) < _FOOTER_BYTES:
        raise TableError("too short to be a table")
    footer = data[-_FOOTER_BYTES:]
    if footer[-8:] != MAGIC:
        raise TableError("no table: its last bytes are not the magic number")
    try:
        *_, position = _read_handle(footer, 0)
        offset, size, _ = _read_handle(footer, position)
        entries: dict[bytes, bytes] = {}
        end = key_bytes = 0
        for _, handle in _read_block(data, offset, size):
            start, length, _ = _read_handle(handle, 0)
            # Blocks follow each other; going back over one could take for ever.
            if start < end:
                raise TableError("blocks lie over each other")
            end = start + length + _TRAILER_BYTES
            for key, value in _read_block(data, start, length):
                if entries and key <= next(reversed(entries)):
                    raise TableError("keys are out of order")
                key_bytes += len(key)
                if key_bytes > _MAX_KEY_BYTES:
                    raise TableError("its names are too long to be a checkpoint's")
                entries[key] = value
    except WireError as error:
        raise TableError(str(error)) from error
    return entries


def _read_handle(data: bytes, position: int) -> tuple[int, int, int]:
    """Return offset and size of a block, and the position after its handle."""
    offset, position = read_varint(data, position)
    size, position = read_varint(data, position)
    return offset, size, position


def _read_block(data: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    block = data[offset : offset + size + _TRAILER_BYTES]
    if len(block) != size + _TRAILER_BYTES:
        raise TableError("a block lies beyond the end of the file")
    if masked_crc32c(block[:-4]) != int.from_bytes(block[-4:], "little"):
        raise TableError("the checksum of a block does not hold")
    if block[size] != _UNCOMPRESSED:
        raise TableError("its blocks are compressed, which TensorFlow never does; save it again with TensorFlow")
    contents = block[:size]
    restarts = int.from_bytes(contents[-4:], "little")
    end = size - 4 * (restarts + 1)
    if size < 4 or end < 0:
        raise TableError("a block is too short for its restart points")
    position, key = 0, b""
    while position < end:
        shared, position = read_varint(contents, position)
        unshared, position = read_varint(contents, position)
        length, position = read_varint(contents, position)
        if shared > len(key) or position + unshared + length > end:
            raise TableError("an entry reaches beyond its block")
        key = key[:shared] + contents[position : position + unshared]
        position += unshared
        yield key, contents[position : position + length]
        position += length


def write_table(entries: Mapping[bytes, bytes]) -> bytes:
    """Return a table of one data block, byte for byte as TensorFlow writes one of up to 256 KiB.

    Args:
        entries: at least one, in any order.
    """
    data = _block(dict(sorted(entries.items())), _RESTART_INTERVAL)
    metaindex = _block({}, 1)
    last = max(entries)
    index = _block({_short_successor(last): _handle(0, len(data) - _TRAILER_BYTES)}, 1)
    body = data + metaindex + index
    footer = _handle(len(data), len(metaindex) - _TRAILER_BYTES)
    footer += _handle(len(data) + len(metaindex), len(index) - _TRAILER_BYTES)
    return body + footer.ljust(_FOOTER_BYTES - 8, b"\0") + MAGIC


def _block(entries: Mapping[bytes, bytes], restart_interval: int) -> bytes:
    """Return a block with its trailer; the offset of every whole key stands at its end."""
    contents, restarts, previous = bytearray(), [0], b""
    for count, (key, value) in enumerate(entries.items()):
        shared = 0
        if count % restart_interval:
            while shared < min(len(key), len(previous)) and key[shared] == previous[shared]:
                shared += 1
        elif count:
            restarts.append(len(contents))
        contents += encode_varint(shared) + encode_varint(len(key) - shared) + encode_varint(len(value))
        contents += key[shared:] + value
        previous = key
    for restart in (*restarts, len(restarts)):
        contents += restart.to_bytes(4, "little")
    contents.append(_UNCOMPRESSED)
    return bytes(contents) + masked_crc32c(contents).to_bytes(4, "little")


def _handle(offset: int, size: int) -> bytes:
    return encode_varint(offset) + encode_varint(size)


def _short_successor(key: bytes) -> bytes:
    """Return a short key that sorts after `key` (leveldb/util/comparator.cc, `FindShortSuccessor`)."""
    for index, byte in enumerate(key):
        if byte != 0xFF:
            return key[:index] + bytes([byte + 1])
    return key

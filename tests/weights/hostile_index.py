"""A writer of checkpoint indexes whose checksums hold, whatever they claim."""

from __future__ import annotations

from pathlib import Path

from quovadis.weights.checksum import masked_crc32c

MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")


def varint(value: int) -> bytes:
    value %= 1 << 64
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def number_field(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


def bytes_field(number: int, value: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(value)) + value


def block(entries: dict[bytes, bytes]) -> bytes:
    content = b"".join(varint(0) + varint(len(k)) + varint(len(v)) + k + v for k, v in entries.items())
    content += b"\0\0\0\0" + b"\1\0\0\0" + b"\0"
    return content + masked_crc32c(content).to_bytes(4, "little")


def write_index(path: Path, entries: dict[bytes, bytes]) -> None:
    data = block(entries)
    handle = varint(0) + varint(len(data) - 5)
    index = block({b"\xff": handle})
    index_handle = varint(len(data)) + varint(len(index) - 5)
    empty_handle = varint(0) + varint(0)
    footer = (empty_handle + index_handle).ljust(40, b"\0") + MAGIC
    path.write_bytes(data + index + footer)

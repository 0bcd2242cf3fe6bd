"""Makes checkpoint indexes that TensorFlow would never write."""

from __future__ import annotations

from pathlib import Path

from quovadis.weights.checksum import masked_crc32c

MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
HEADER = b"\x08\x01"


def varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value % (1 << 64))


def text(field: int, value: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(value)) + value


def fixed32(field: int, value: int) -> bytes:
    return varint(field << 3 | 5) + value.to_bytes(4, "little")


def tensor(
    data: bytes, shape: tuple[int, ...], *, offset: int = 0, size: int | None = None, parts: tuple[bytes, ...] = ()
) -> bytes:
    """A `BundleEntryProto` of float32 values."""
    axes = b"".join(text(2, number(1, axis)) for axis in shape)
    place = number(4, offset) + number(5, len(data) if size is None else size)
    slices = b"".join(text(7, part) for part in parts)
    return number(1, 1) + text(2, axes) + place + fixed32(6, masked_crc32c(data)) + slices


def extent(start: int, length: int) -> bytes:
    return text(1, number(1, start) + number(2, length))


def entry(key: bytes, value: bytes, shared: int = 0) -> bytes:
    return varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value


def block(entries: bytes) -> bytes:
    contents = entries + bytes(4) + (1).to_bytes(4, "little") + b"\0"
    return contents + masked_crc32c(contents).to_bytes(4, "little")


def handle(offset: int, size: int) -> bytes:
    return varint(offset) + varint(size)


def table(blocks: list[bytes], index: bytes | None = None) -> bytes:
    """A table of finished data blocks; `index` holds the entries of the index block, else one for each block."""
    body, entries = b"", b""
    for place, data in enumerate(blocks):
        entries += entry(b"%06d" % place, handle(len(body), len(data) - 5))
        body += data
    index_block = block(entries if index is None else index)
    footer = handle(0, 0) + handle(len(body), len(index_block) - 5)
    return body + index_block + footer.ljust(40, b"\0") + MAGIC


def write_checkpoint(prefix: Path, tensors: dict[bytes, bytes], data: bytes) -> Path:
    entries = b"".join(entry(key, value) for key, value in {b"": HEADER, **dict(sorted(tensors.items()))}.items())
    prefix.with_name(prefix.name + ".index").write_bytes(table([block(entries)]))
    prefix.with_name(prefix.name + ".data-00000-of-00001").write_bytes(data)
    return prefix

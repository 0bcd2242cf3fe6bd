"""CRC-32C as TensorFlow stores it."""

from __future__ import annotations

import google_crc32c

_MASK_DELTA = 0xA282EAD8


def masked_crc32c(data: bytes | bytearray | memoryview) -> int:
    """Return the masked CRC-32C of `data` (tensorflow/core/lib/hash/crc32c.h, `Mask`)."""
    return mask(google_crc32c.value(bytes(data)))


def mask(crc: int) -> int:
    """Rotate right by 15 bits and add a constant, so that a checksum of data holding checksums stays sound."""
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF

"""Animated PNG and WebP by their chunks: how many pictures, how long, and whether the file is whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import BinaryIO

from quovadis.limits import VideoLimits
from quovadis.video.signatures import PNG_SIGNATURE

_NO_DELAY = Fraction(1, 15)
"""How many seconds FFmpeg shows a frame of an animated PNG for whose delay is 0."""
_MIN_WEBP, _DEFAULT_WEBP = 10, 100
"""Milliseconds: a WebP picture that says less than the first is shown for the second, as browsers and FFmpeg do."""


@dataclass
class Outline:
    """What the chunks of an animation say."""

    width: int = 0
    height: int = 0
    declared: int | None = None
    """Pictures, by the header."""
    durations: list[Fraction] = field(default_factory=list)
    """Seconds that each picture is shown for, of those that are in the file."""
    shortfall: str | None = None
    """What is missing, or None."""
    whole_bytes: int = 0
    """Up to the end of the last chunk that is whole."""

    @property
    def seconds(self) -> Fraction:
        """From the first picture to the end of the last."""
        return sum(self.durations, Fraction(0))


def outline_png(file: BinaryIO, name: str, limits: VideoLimits) -> Outline:
    """Return the outline of an animated PNG (PNG specification, third edition).

    Raises:
        VideoLimitError: more pictures than the limits admit.
    """
    outline = Outline()
    ended = False
    for kind, start, size in _png_chunks(file):
        if kind == b"acTL":
            file.seek(start)
            outline.declared = int.from_bytes(file.read(4), "big")
        elif kind == b"fcTL" and size >= 26:
            file.seek(start + 20)
            numerator, denominator = int.from_bytes(file.read(2), "big"), int.from_bytes(file.read(2), "big")
            _add(outline, Fraction(numerator, denominator or 100) or _NO_DELAY, name, limits)
        ended = kind == b"IEND"
    found, declared = len(outline.durations), outline.declared or 0
    if not ended:
        outline.shortfall = f"{max(found - 1, 0)} of {declared} declared frames found whole, and no end mark"
    elif found < declared:
        outline.shortfall = f"{found} of {declared} declared frames found"
    return outline


def _png_chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind, the start and the size of every chunk that is whole, up to `IEND`."""
    end = file.seek(0, os.SEEK_END)
    offset, kind = len(PNG_SIGNATURE), b""
    while kind != b"IEND":
        file.seek(offset)
        header = file.read(8)
        size = int.from_bytes(header[:4], "big")
        if len(header) < 8 or offset + 12 + size > end:
            return
        kind = header[4:]
        yield kind, offset + 8, size
        offset += 12 + size


def outline_webp(content: bytes, name: str, limits: VideoLimits) -> Outline:
    """Return the outline of an animated WebP (RFC 9649).

    Raises:
        VideoLimitError: more or larger pictures, or more seconds, than the limits admit.
    """
    outline = Outline(whole_bytes=12)
    declared_bytes = int.from_bytes(content[4:8], "little") + 8
    end = min(declared_bytes, len(content))
    offset = 12
    while offset + 8 <= end:
        kind, size = content[offset : offset + 4], int.from_bytes(content[offset + 4 : offset + 8], "little")
        start, offset = offset + 8, offset + 8 + size + size % 2
        if offset > end:
            break
        if kind == b"VP8X":
            outline.width = 1 + int.from_bytes(content[start + 4 : start + 7], "little")
            outline.height = 1 + int.from_bytes(content[start + 7 : start + 10], "little")
            if outline.width * outline.height > limits.max_pixels:
                raise limits.exceeded(name, f"its frames of {outline.width}x{outline.height} are larger", "max_pixels")
        elif kind == b"ANMF":
            milliseconds = int.from_bytes(content[start + 12 : start + 15], "little")
            shown = milliseconds if milliseconds >= _MIN_WEBP else _DEFAULT_WEBP
            _add(outline, Fraction(shown, 1000), name, limits)
        outline.whole_bytes = offset
    if declared_bytes > len(content) or outline.whole_bytes < end - 8:
        found = len(outline.durations)
        outline.shortfall = f"{found} whole frames found, in {len(content):,} of {declared_bytes:,} declared bytes"
    return outline


def _add(outline: Outline, seconds: Fraction, name: str, limits: VideoLimits) -> None:
    outline.durations.append(seconds)
    if len(outline.durations) > limits.max_frames:
        raise limits.exceeded(name, "it has more frames", "max_frames")

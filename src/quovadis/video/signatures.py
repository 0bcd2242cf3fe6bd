"""What a picture file holds, told from its first bytes: one picture, or pictures in time."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO, Literal, TypeAlias

from quovadis.video.tiff import BIG_TIFF_MAGICS, TIFF_MAGICS, read_pages

AnimationKind: TypeAlias = Literal["apng", "sequence", "webp", "tiff"]
"""Animated PNG; a sequence of AVIF or HEIF pictures; animated WebP; a TIFF of several pages."""

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_SEQUENCE_BRANDS = frozenset({b"avis", b"msf1", b"hevc", b"hevx"})
"""Of files with a track of pictures (ISO/IEC 23008-12 and AV1 Image File Format)."""
_PICTURE_BRANDS = frozenset({b"avif", b"mif1", b"mif2", b"heic", b"heix", b"heim", b"heis", b"jxl "}) | _SEQUENCE_BRANDS
_WEBP_ANIMATION_FLAG = 0x02
_MAX_CHUNKS_BEFORE_PIXELS = 10_000


def animation_kind(path: Path) -> AnimationKind | None:
    """Return what kind of animation a file is by its content, or None: another file, or one that cannot be read."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return _animation_kind(file)
    except (OSError, ValueError, struct.error):
        return None


def _animation_kind(file: BinaryIO) -> AnimationKind | None:
    head = file.read(32)
    if head.startswith(PNG_SIGNATURE):
        return "apng" if _has_animation_control(file) else None
    if head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X":
        return "webp" if head[20] & _WEBP_ANIMATION_FLAG else None
    if _brands(file, head) & _SEQUENCE_BRANDS:
        return "sequence"
    if head[:4] in BIG_TIFF_MAGICS:
        # FFmpeg, which reads other pictures, does not know this form of TIFF.
        return "tiff"
    if head[:4] in TIFF_MAGICS and head[8:10] != b"CR":
        pages = (page for page in read_pages(file) if not page.is_auxiliary)
        return "tiff" if next(pages, None) and next(pages, None) else None
    return None


def is_video_content(path: Path) -> bool:
    """Tell whether a file begins as a video or a GIF does, whatever it is called."""
    try:
        with path.open("rb") as file:
            head = file.read(32)
            brands = _brands(file, head)
    except (OSError, ValueError, struct.error):
        return False
    return (
        head.startswith((b"GIF87a", b"GIF89a", b"\x1aE\xdf\xa3", b"OggS", b"FLV\x01"))
        or (head[:4] == b"RIFF" and head[8:12] == b"AVI ")
        or (bool(brands) and not brands & _PICTURE_BRANDS)
    )


def _has_animation_control(file: BinaryIO) -> bool:
    """Look for `acTL`, which comes before the pixels (PNG specification, third edition, 11.3.6.1)."""
    file.seek(len(PNG_SIGNATURE))
    for _ in range(_MAX_CHUNKS_BEFORE_PIXELS):
        header = file.read(8)
        if len(header) < 8 or header[4:] in (b"IDAT", b"IEND"):
            return False
        if header[4:] == b"acTL":
            return True
        file.seek(int.from_bytes(header[:4], "big") + 4, 1)
    return False


def _brands(file: BinaryIO, head: bytes) -> set[bytes]:
    """Return what the file type box of an ISO file says that the file is."""
    if head[4:8] != b"ftyp":
        return set()
    file.seek(8)
    content = file.read(min(max(int.from_bytes(head[:4], "big") - 8, 0), 4096))
    return {content[offset : offset + 4] for offset in range(0, len(content) - 3, 4) if offset != 4}

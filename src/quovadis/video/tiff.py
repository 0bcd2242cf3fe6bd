"""The pages of a TIFF, as its directories list them; no pixels are read."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

TIFF_MAGICS = (b"II*\0", b"MM\0*")
BIG_TIFF_MAGICS = (b"II+\0", b"MM\0+")

_SUBFILE_TYPE, _WIDTH, _HEIGHT = 254, 256, 257
_STRIP_OFFSETS, _STRIP_BYTES, _TILE_OFFSETS, _TILE_BYTES = 273, 279, 324, 325
_REDUCED_OR_MASK = 0b101
_CODES = {1: "B", 3: "H", 4: "I", 16: "Q"}
"""`struct`'s letters for the types of whole numbers: byte, short, long, and BigTIFF's long8."""
_MAX_ENTRIES = 1 << 16


class Page(NamedTuple):
    """One directory of a TIFF."""

    number: int
    """Its number in the file, from 0."""
    width: int
    height: int
    is_auxiliary: bool
    """Whether it says that it is a smaller copy, or a mask, of another page."""
    is_whole: bool
    """Whether its directory and its pixels end within the file."""
    link_at: int
    """Where in the file the place of the next page is written."""


def read_pages(file: BinaryIO) -> Iterator[Page]:
    """Yield the pages of a TIFF or BigTIFF; one whose directory is cut off is the last.

    Raises:
        ValueError: no TIFF, or one whose pages lead back to themselves.
        struct.error: its first bytes are missing.
    """
    reader = _Reader(file)
    offset, seen = reader.first, set[int]()
    while offset:
        if offset in seen:
            raise ValueError("its pages lead back to themselves")
        seen.add(offset)
        page, offset = reader.page(len(seen) - 1, offset)
        yield page


class _Reader:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = file.seek(0, os.SEEK_END)
        file.seek(0)
        head = file.read(16)
        if head[:4] not in TIFF_MAGICS + BIG_TIFF_MAGICS:
            raise ValueError("not a TIFF")
        self._order = "<" if head[:2] == b"II" else ">"
        self._is_big = head[:4] in BIG_TIFF_MAGICS
        # Widths of the number of entries, and of an offset.
        self._count, self._offset = ("Q", "Q") if self._is_big else ("H", "I")
        (self.first,) = struct.unpack_from(self._order + self._offset, head, 8 if self._is_big else 4)

    def page(self, number: int, offset: int) -> tuple[Page, int]:
        """Return a page and the offset of the next; 0 after the last."""
        unreadable = Page(number, 0, 0, False, False, 0), 0
        try:
            self._file.seek(offset)
            (entries,) = self._take(self._count)
            if entries > _MAX_ENTRIES:
                return unreadable
            values: dict[int, tuple[int, int]] = {}
            entry = struct.Struct(f"{self._order}HH{self._offset}{struct.calcsize('=' + self._offset)}s")
            table = self._read(entry.size * entries)
            link_at = self._file.tell()
            (following,) = self._take(self._offset)
            for tag, kind, count, value in entry.iter_unpack(table):
                if kind in _CODES and count:
                    values[tag] = self._ends(_CODES[kind], count, value)
        except (struct.error, EOFError, OverflowError):
            return unreadable
        subfile = values.get(_SUBFILE_TYPE, (0, 0))[0]
        width, height = (values.get(tag, (0, 0))[0] for tag in (_WIDTH, _HEIGHT))
        ends = [
            start + length
            for offsets, lengths in ((_STRIP_OFFSETS, _STRIP_BYTES), (_TILE_OFFSETS, _TILE_BYTES))
            if offsets in values and lengths in values
            for start, length in zip(values[offsets], values[lengths], strict=True)
        ]
        is_whole = max(ends, default=0) <= self._size
        return Page(number, width, height, bool(subfile & _REDUCED_OR_MASK), is_whole, link_at), following

    def _ends(self, code: str, count: int, value: bytes) -> tuple[int, int]:
        """Return the first and the last of an entry's numbers, which lie in the entry if they fit into it."""
        width = struct.calcsize("=" + code)
        if count * width <= len(value):
            numbers = struct.unpack_from(f"{self._order}{count}{code}", value)
            return numbers[0], numbers[-1]
        (start,) = struct.unpack(self._order + self._offset, value)
        self._file.seek(start)
        (first,) = self._take(code)
        self._file.seek(start + (count - 1) * width)
        (last,) = self._take(code)
        return first, last

    def _take(self, code: str) -> tuple[int, ...]:
        return struct.unpack(self._order + code, self._read(struct.calcsize("=" + code)))

    def _read(self, size: int) -> bytes:
        content = self._file.read(size)
        if len(content) < size:
            raise EOFError
        return content

"""Whether a GIF is whole: its blocks are walked to the end mark, whatever follows it."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

_TRAILER, _EXTENSION, _IMAGE = b"\x3b", b"\x21", b"\x2c"


def has_gif_trailer(path: Path) -> bool:
    """Tell whether a GIF's blocks are followed by its end mark (GIF89a specification, section 27).

    Args:
        path: a file that begins as a GIF does.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        file.seek(6)
        screen = file.read(7)
        if len(screen) < 7:
            return False
        _skip_colours(file, screen[4])
        while True:
            kind = file.read(1)
            if kind == _TRAILER:
                return True
            if kind == _EXTENSION:
                file.seek(1, 1)
            elif kind == _IMAGE:
                descriptor = file.read(9)
                if len(descriptor) < 9:
                    return False
                _skip_colours(file, descriptor[8])
                file.seek(1, 1)
            elif kind == b"\0":
                # Some writers leave empty blocks between others.
                continue
            else:
                # Odd blocks that readers pass over: then the last byte but for padding has to do.
                return _ends_with_trailer(file)
            if not _skip_blocks(file):
                return False


def _skip_colours(file: BinaryIO, packed: int) -> None:
    """Pass over a colour table, if the flags say that there is one."""
    if packed & 0x80:
        file.seek(3 << ((packed & 7) + 1), 1)


def _skip_blocks(file: BinaryIO) -> bool:
    """Pass over data blocks up to the empty one that ends them; tell whether it was there."""
    while size := file.read(1):
        if size == b"\0":
            return True
        file.seek(size[0], 1)
    return False


def _ends_with_trailer(file: BinaryIO) -> bool:
    file.seek(max(file.seek(0, 2) - 256, 0))
    return file.read().rstrip(b"\0").endswith(_TRAILER)

"""How files whose length FFmpeg does not report show that they are whole: GIF's end mark, the size in ASF's header."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import BinaryIO

_ASF_HEADER_BYTES = 1 << 16
_ASF_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
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


def holds_gif_picture(packet: bytes) -> bool:
    """Tell whether a packet of FFmpeg's GIF demuxer holds a picture.

    What stands between the last picture and the end mark, such as a comment, is a packet too.
    """
    file = io.BytesIO(packet)
    while (kind := file.read(1)) == _EXTENSION:
        file.seek(1, 1)
        _skip_blocks(file)
    # The first packet begins with the file's header, and odd blocks are the decoder's to judge.
    return kind not in (_TRAILER, b"")


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


def asf_declared_bytes(path: Path) -> int | None:
    """Return how large an ASF file (WMV, WMA) says that it is; None where it was broadcast, or does not say.

    FFmpeg ignores the length that such a file declares if its size differs from the declared one. The File Properties
    Object of the header (ASF specification, section 3.2) begins with its GUID, its own size and the file's GUID; the
    file's size follows at byte 40, the flags, of which the lowest says broadcast, at byte 88.

    Args:
        path: a file that begins as ASF does.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        header = file.read(_ASF_HEADER_BYTES)
    offset = header.find(_ASF_FILE_PROPERTIES)
    if offset < 0 or len(header) < offset + 92:
        return None
    (size,) = struct.unpack_from("<Q", header, offset + 40)
    (flags,) = struct.unpack_from("<I", header, offset + 88)
    return None if flags & 1 else size or None

"""Edit lists written into MP4 and MOV files, as cameras and editors write them (ISO/IEC 14496-12, 8.6.6)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path


def set_edit_list(path: Path, parts: Sequence[tuple[float, float]]) -> None:
    """Show only these parts of the picture's track, given as start and length in seconds of its media.

    The file's index must lie behind its frames, or the list keep its length, so that no place of a frame changes.
    """
    data = bytearray(path.read_bytes())
    moov = _child(data, 0, len(data), b"moov")
    trak = _picture_track(data, moov)
    movie_scale = _timescale(data, _child(data, moov + 8, _end(data, moov), b"mvhd"))
    mdia = _child(data, trak + 8, _end(data, trak), b"mdia")
    media_scale = _timescale(data, _child(data, mdia + 8, _end(data, mdia), b"mdhd"))
    edts = _child(data, trak + 8, _end(data, trak), b"edts")
    elst = _child(data, edts + 8, _end(data, edts), b"elst")
    # The first frame is shown at this time of the media: what it had to wait for the frames decoded before it.
    (delay,) = struct.unpack_from(">i", data, elst + 20)
    entries = b"".join(
        struct.pack(">Iihh", round(length * movie_scale), delay + round(start * media_scale), 1, 0)
        for start, length in parts
    )
    box = struct.pack(">I4sII", 16 + len(entries), b"elst", 0, len(parts)) + entries
    grown = len(box) - (_end(data, elst) - elst)
    if grown and data.index(b"mdat") > moov:
        raise ValueError("the index lies before the frames")
    data[elst : _end(data, elst)] = box
    for parent in (moov, trak, edts):
        (size,) = struct.unpack_from(">I", data, parent)
        struct.pack_into(">I", data, parent, size + grown)
    path.write_bytes(data)


def _picture_track(data: bytes, moov: int) -> int:
    trak = _child(data, moov + 8, _end(data, moov), b"trak")
    while True:
        mdia = _child(data, trak + 8, _end(data, trak), b"mdia")
        hdlr = _child(data, mdia + 8, _end(data, mdia), b"hdlr")
        if data[hdlr + 16 : hdlr + 20] == b"vide":
            return trak
        trak = _child(data, _end(data, trak), _end(data, moov), b"trak")


def _child(data: bytes, start: int, end: int, name: bytes) -> int:
    place = start
    while place < end:
        size, kind = struct.unpack_from(">I4s", data, place)
        if kind == name:
            return place
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, place + 8)
        place += size
    raise ValueError(f"no {name.decode()} in the file")


def _end(data: bytes, place: int) -> int:
    (size,) = struct.unpack_from(">I", data, place)
    return place + int(size)


def _timescale(data: bytes, header: int) -> int:
    # Version 0: size, name, version and flags, then the times of creation and change.
    (scale,) = struct.unpack_from(">I", data, header + 8 + 4 + 8)
    return int(scale)

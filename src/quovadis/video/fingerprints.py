"""What tells whether the content of a file, a folder of frames or an array is the same, or still what it was."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from quovadis.escape import escaped

ABSENT = "-"
"""The state of what is not there."""
_SAMPLE_BYTES = 16384


def path_state(path: Path) -> str:
    """Return a line that changes when a path is written to, and not when it is moved; quick, whatever the size.

    Of a file it is its size, time of change, and three samples of what is in it: tools that unpack archives may give
    many files one time. Of a folder it is the same of every file in it that is not hidden: a frame that is written over
    in place changes neither the folder's own time nor the number of its frames. It is `ABSENT` for what is not there.
    """
    digest = hashlib.sha256()
    try:
        if not path.is_dir():
            status = path.stat()
            _add_samples(digest, path, status.st_size)
            return f"{status.st_size} {status.st_mtime_ns} {digest.hexdigest()[:16]}"
        files = []
        with os.scandir(path) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                # Features that are written into the folder's own subfolder make it no other video.
                if entry.name.startswith(".") or entry.is_dir():
                    continue
                try:
                    status = entry.stat()
                except OSError:
                    # A link that leads nowhere.
                    status = entry.stat(follow_symlinks=False)
                # No name holds a zero byte, so that no two lists of entries are told alike.
                digest.update(f"{escaped(entry.name)}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
                files.append((Path(entry.path), status.st_size))
        if files:
            _add_samples(digest, *files[len(files) // 2])
    except OSError:
        return ABSENT
    return digest.hexdigest()


def sample_fingerprint(path: Path) -> str:
    """Return a line that is the same for the same content, and nearly always another for another; quick for a file.

    Of a file it is its size and three samples of what is in it; of a folder, as `path_fingerprint` has it.

    Raises:
        OSError: something cannot be read.
    """
    if path.is_dir():
        return path_fingerprint(path)
    size = path.stat().st_size
    digest = hashlib.sha256(f"{size} ".encode())
    _add_samples(digest, path, size)
    return digest.hexdigest()


def path_fingerprint(path: Path) -> str:
    """Return a line that is the same for the same content, of a copy too: all of it is read.

    Of a folder it is of the names and contents of all files in it that are not hidden.

    Raises:
        OSError: something cannot be read.
    """
    if not path.is_dir():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    digest = hashlib.sha256()
    for entry in sorted(path.iterdir()):
        if entry.is_file() and not entry.name.startswith("."):
            digest.update(f"{escaped(entry.name)}\0{path_fingerprint(entry)}\0".encode())
    return digest.hexdigest()


def array_fingerprint(frames: NDArray[np.uint8]) -> str:
    """Return a line that is the same for arrays of one shape and one content."""
    digest = hashlib.sha256(f"{frames.dtype} {frames.shape}".encode())
    for pixels in frames:
        digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def _add_samples(digest: hashlib._Hash, path: Path, size: int) -> None:
    if not path.is_file():
        return
    with path.open("rb") as file:
        for start in (0, size // 2, max(size - _SAMPLE_BYTES, 0)):
            file.seek(start)
            digest.update(file.read(_SAMPLE_BYTES))

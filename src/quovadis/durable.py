"""Writing files so that they are there whole or not at all, whatever happens in between."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from quovadis.environment import HOME_VARIABLE
from quovadis.errors import CacheError
from quovadis.fetch.files import OfficialFile, git_blob_sha1
from quovadis.progress import Notify

_CHUNK_BYTES = 1 << 20


def is_right(path: Path, file: OfficialFile) -> bool:
    """Tell whether the file at `path` has the size and every hash that are known of `file`."""
    if path.stat().st_size != file.size:
        return False
    sha256, git_sha1 = hashlib.sha256(), git_blob_sha1(file.size)
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            sha256.update(chunk)
            git_sha1.update(chunk)
    return file.sha256 in (None, sha256.hexdigest()) and file.git_sha1 in (None, git_sha1.hexdigest())


def publish(temporary: Path, destination: Path) -> None:
    """Give a finished file its name: flush it to disk, rename it, flush the folder."""
    with temporary.open("rb") as stream:
        os.fsync(stream.fileno())
    temporary.replace(destination)
    if os.name == "posix":
        folder = os.open(destination.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Lend a place to write a file at, which then appears under its own name, on disk, or not at all.

    Raises:
        OSError: it cannot be written.
    """
    # Of this process alone: another may write the same file.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        publish(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def sole_process(folder: Path, notify: Notify) -> Iterator[None]:
    """Make `folder` and keep other processes out of it, waiting for one that is at work there.

    The lock is the operating system's: it ends with the process that holds it, however that ends.

    Raises:
        CacheError: the folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        try:
            lock.acquire(timeout=0.1)
        except Timeout:
            notify(f"another process is fetching {folder.name}; waiting for it")
            lock.acquire()
    except OSError as error:
        raise cache_error(folder, error) from error
    try:
        yield
    finally:
        lock.release()


def cache_error(path: Path, error: OSError) -> CacheError:
    """Return the error for a cache that cannot be written."""
    return CacheError(f"{path}: cannot write the cache: {error.strerror}; set {HOME_VARIABLE} to a folder with room")

"""Writing files so that they are there whole or not at all, whatever happens in between."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from quovadis.environment import HOME_VARIABLE
from quovadis.errors import CacheError, OutputError
from quovadis.progress import Notify


def atomic_replace(temporary: Path, destination: Path) -> None:
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
def atomic_write(path: Path) -> Iterator[Path]:
    """Lend a place to write a file at, which then appears under its own name, on disk, or not at all.

    The file's folder is made if it is not there.

    Raises:
        OSError: it cannot be written.
    """
    temporary = _temporary(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield temporary
        atomic_replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def output_file(path: Path) -> Iterator[Path]:
    """Lend a place to write a file of results at, as `atomic_write` does.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        with atomic_write(path) as temporary:
            yield temporary
    except OSError as error:
        raise output_error(path, error) from error


def output_folder(folder: Path) -> None:
    """Make a folder for results if it is not there.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(folder, error, "the folder cannot be made") from error


def output_error(path: Path, error: OSError, what: str = "cannot be written") -> OutputError:
    """Return the error for results that cannot be written, which says what to do."""
    is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    remedy = "make room, and run the same command again" if is_full else "give another path"
    return OutputError(f"{path}: {what}: {error.strerror or error}; {remedy}")


def _temporary(path: Path) -> Path:
    # Of this process alone: another may write the same file.
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def check_folder(folder: Path, name: str = "attempt") -> None:
    """Check that files can be written to a folder, there or not, by an attempt: nothing else tells for certain.

    Of the attempt nothing is left, neither the folder nor those above it.

    Args:
        folder: of the files.
        name: of one of them.

    Raises:
        OSError: the folder cannot be made, or no file can be written to it.
    """
    made: list[Path] = []
    attempt = _temporary(folder / name)
    try:
        for missing in reversed([path for path in (folder, *folder.parents) if not os.path.lexists(path)]):
            with suppress(FileExistsError):
                missing.mkdir()
                made.append(missing)
        attempt.touch()
        attempt.unlink()
    finally:
        for path in reversed(made):
            # Not of whoever has put something in it by now.
            with suppress(OSError):
                path.rmdir()


@contextmanager
def exclusive_lock(folder: Path, notify: Notify) -> Iterator[None]:
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


def take_lock(lock: FileLock, place: Path, busy: str) -> None:
    """Take a lock that keeps other processes from a place where results go, without waiting for them.

    It is the operating system's: it ends with the process that holds it, however that ends.

    Raises:
        OutputError: another process holds it, in the words `busy`, or its file cannot be written.
    """
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise OutputError(f"{place}: {busy}") from error
    except OSError as error:
        raise output_error(place, error) from error


def cache_error(path: Path, error: OSError) -> CacheError:
    """Return the error for a cache that cannot be written."""
    return CacheError(f"{path}: cannot write the cache: {error.strerror}; set {HOME_VARIABLE} to another folder")

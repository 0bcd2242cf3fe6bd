"""Content that is no file of its own, copied into a temporary file: readers seek in a file, and open it by its path."""

from __future__ import annotations

import tempfile
import weakref
from io import UnsupportedOperation
from pathlib import Path
from typing import IO, Protocol, runtime_checkable

from quovadis.errors import QuovadisError, VideoError
from quovadis.limits import VideoLimits

_CHUNK_BYTES = 1 << 20
_AS_TEXT = 'opened as text: open it with the mode "rb"'
_OPEN_FILES = Path("/proc/self/fd")
"""Where a file without a name has a path for as long as it is open (Linux)."""
_HAS_NAMELESS = _OPEN_FILES.is_dir()


@runtime_checkable
class BinaryFile(Protocol):
    """An open file, pipe, response or member of an archive, which gives bytes and need not be seekable."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; at the end none."""
        ...


class SpooledFile:
    """A temporary file, removed with this object, and at the latest when the process ends.

    Where the system allows it, the file has no name, so that nothing is left even of a process that is killed.
    """

    def __init__(self, name: str, content: BinaryFile, limits: VideoLimits) -> None:
        """Copy what is left of a binary file.

        Args:
            name: what errors call the video.
            content: read from where it stands to its end, and not closed.
            limits: the most bytes to copy.

        Raises:
            VideoError: it cannot be read, was opened as text, or the copy cannot be written.
            VideoLimitError: it holds more than the limit.
        """
        try:
            file = tempfile.TemporaryFile(prefix="quovadis-") if _HAS_NAMELESS else _named_file()  # noqa: SIM115
        except OSError as error:
            raise _unwritable(name, error) from error
        self.path = _OPEN_FILES / str(file.fileno()) if _HAS_NAMELESS else Path(file.name)
        self._remove = weakref.finalize(self, _remove, file, self.path)
        try:
            _copy(name, content, file, limits)
        except BaseException:
            self._remove()
            raise


def _named_file() -> IO[bytes]:
    return tempfile.NamedTemporaryFile(prefix="quovadis-", delete=False)


def _remove(file: IO[bytes], path: Path) -> None:
    file.close()
    if path.parent != _OPEN_FILES:
        path.unlink(missing_ok=True)


def _copy(name: str, content: BinaryFile, file: IO[bytes], limits: VideoLimits) -> None:
    copied = 0
    while chunk := _read(name, content):
        copied += len(chunk)
        if copied > limits.max_spooled_bytes:
            raise limits.exceeded(name, "it is larger", "max_spooled_bytes")
        try:
            file.write(chunk)
        except OSError as error:
            raise _unwritable(name, error) from error
    try:
        # Windows opens a file for reading only once it is closed.
        file.flush() if _HAS_NAMELESS else file.close()
    except OSError as error:
        raise _unwritable(name, error) from error


def _read(name: str, content: BinaryFile) -> bytes:
    try:
        chunk = content.read(_CHUNK_BYTES)
    except QuovadisError:
        raise
    except UnicodeDecodeError as error:
        raise VideoError(f"{name}: {_AS_TEXT}") from error
    except UnsupportedOperation as error:
        raise VideoError(f'{name}: opened for writing: open it with the mode "rb"') from error
    except Exception as error:
        # Responses and archives have errors of their own.
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise VideoError(f"{name}: cannot be read: {reason}") from error
    if not isinstance(chunk, bytes | bytearray | memoryview):
        how = _AS_TEXT if isinstance(chunk, str) else "not a blocking binary file"
        raise VideoError(f"{name}: {how}")
    return bytes(chunk)


def _unwritable(name: str, error: OSError) -> VideoError:
    return VideoError(
        f"{name}: cannot be copied into a temporary file: {error.strerror or error}; set TMPDIR to a folder with room"
    )

"""A file that results are written to: an older file of its name stays until the new one is whole."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from quovadis.durable import atomic_replace, check_folder, output_error
from quovadis.errors import OutputError
from quovadis.progress import Notify, ignore_notice


class RecordFile(AbstractContextManager["RecordFile"]):
    """Takes what goes into a file of results, or to stdout where `path` is None.

    Nothing is touched before the first of it comes. Where there is no older file, lines reach the file as they are
    written, so that a run that is stopped, or even killed, keeps what it has; a document (`whole`) appears once it is
    complete. Where there is an older file, the new one is written beside it, as `name.partial.suffix`, and takes its
    place once all of it is on disk. A run that ends early leaves the older file as it is, and what it has beside it.
    """

    def __init__(self, path: Path | None, *, whole: bool, binary: bool = False, notify: Notify = ignore_notice) -> None:
        """Choose the file.

        Args:
            path: of the file; None: stdout.
            whole: whether the file is one document, of which a part is worth nothing.
            binary: whether it takes bytes, in place of text.
            notify: called with a line where the file does not become what its name promises.
        """
        self._path = path
        self._final = None if path is None else Path(os.path.realpath(path))
        self._whole = whole
        self._binary = binary
        self._notify = notify
        self._written: Path | None = None
        self._stream: IO[Any] | None = None
        # A device or a pipe is written to; taking its name for a file of ours would destroy it.
        self._is_device = self._final is not None and (
            str(path).startswith("/dev/") or (self._final.exists() and not self._final.is_file())
        )
        self._has_older = self._final is not None and not self._is_device and self._final.exists()
        self._is_complete = False
        self.has_results = True
        """Whether what is written is worth an older file."""
        self.is_usable = True
        """Whether what is written can be read: if not, nothing is left of it."""

    def __enter__(self) -> Self:
        """Check that the file can be written.

        Raises:
            OutputError: it cannot.
        """
        try:
            if self._final is None:
                self._stream = sys.stdout
            elif self._is_device:
                self._stream = _opened(self._final, "w", binary=self._binary)
            else:
                self._check(self._final)
        except OSError as error:
            raise self._error(error) from error
        return self

    def _check(self, final: Path) -> None:
        if self._has_older and not os.access(final, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        check_folder(final.parent, final.name)

    @property
    def is_closed(self) -> bool:
        """Whether nothing can be written any more."""
        return self._stream is not None and self._stream.closed

    def write(self, content: str | bytes) -> int:
        """Write some text, or bytes.

        Raises:
            OSError: it cannot be written.
        """
        return self._open().write(content)

    def flush(self) -> None:
        """Let what was written reach the file.

        Raises:
            OSError: it cannot be written.
        """
        if self._stream is not None:
            self._stream.flush()

    def _open(self) -> IO[Any]:
        if self._stream is not None:
            return self._stream
        if self._final is None:
            raise ValueError("the file of results is not open")
        final = self._final
        final.parent.mkdir(parents=True, exist_ok=True)
        names = _partial_names(final)
        if not self._whole and not self._has_older:
            names = (name for part in ((final,), names) for name in part)
        for name in names:
            with suppress(FileExistsError):
                self._stream, self._written = _opened(name, "x", binary=self._binary), name
                break
        # Somebody may have made it since.
        self._has_older = self._written != final and final.exists()
        assert self._stream is not None  # noqa: S101 - there are always more names
        return self._stream

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give the file its name, leave it beside an older one, or take it away.

        Raises:
            OutputError: it cannot be written.
        """
        if self._stream is None or self._final is None:
            return
        ended_early = kind is not None
        try:
            with self._stream:
                self._stream.flush()
            self._is_complete = True
            if self._written is None:
                return
            if not self.is_usable:
                self._written.unlink()
            elif self._has_older and not self.has_results:
                self._written.unlink()
                self._notify(f"there is no result: {self._path} is left as it was")
            elif self._has_older and ended_early:
                self._notify(f"{self._path} is left as it was; the results of this run are in {self._written}")
            elif self._written != self._final:
                if self._has_older:
                    shutil.copymode(self._final, self._written)
                atomic_replace(self._written, self._final)
        except OSError as failure:
            raise self._error(failure) from failure

    def _error(self, error: OSError) -> OutputError:
        left = ""
        if self._written is not None and self._written != self._final:
            if self._whole and not self._is_complete:
                self._written.unlink(missing_ok=True)
            else:
                left = f"; those written so far are in {self._written}"
        return OutputError(f"{output_error(self._path or Path('stdout'), error, 'cannot write the results')}{left}")


def _opened(path: Path, mode: str, *, binary: bool) -> IO[Any]:
    if binary:
        return path.open(mode + "b")
    # Bytes of a file name that are no text become JSON's own escapes, which read back as they were.
    return path.open(mode, encoding="utf-8", errors="backslashreplace", newline="")


def _partial_names(final: Path) -> Iterator[Path]:
    """Yield names for an incomplete file, which people and programs can tell from a complete one."""
    for number in count(1):
        yield final.with_name(f"{final.stem}.partial{'' if number == 1 else f'-{number}'}{final.suffix}")

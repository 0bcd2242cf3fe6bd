"""A text file that results are written to, whole or not at all where the format is one document."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TextIO

from quovadis.errors import OutputError


class RecordFile(AbstractContextManager[TextIO]):
    """Opens a file for results, or stdout where `path` is None, and closes it durably.

    With `whole`, an older file of the name is replaced only once the new one is complete and on disk; otherwise lines
    reach the file as they are written, so that an interrupted run keeps what it had.
    """

    def __init__(self, path: Path | None, *, whole: bool) -> None:
        self._path = path
        self._final = None if path is None else Path(os.path.realpath(path))
        # A device or a pipe is written to; taking its name for a file of ours would destroy it.
        replaces = whole and self._final is not None and (self._final.is_file() or not self._final.exists())
        self._written = self._final
        if replaces and self._final is not None:
            self._written = self._final.with_name(f".{self._final.name}.{os.getpid()}.part")
        self._stream: TextIO | None = None

    def __enter__(self) -> TextIO:
        if self._written is None:
            return sys.stdout
        try:
            # Bytes of a file name that are no text become JSON's own escapes, which read back as they were.
            self._stream = self._written.open("w", encoding="utf-8", errors="backslashreplace", newline="")
        except OSError as error:
            raise OutputError(f"{self._path}: cannot write the results: {error.strerror}") from error
        return self._stream

    def __exit__(self, *exception: object) -> None:
        if self._stream is None or self._written is None or self._final is None:
            return
        try:
            with self._stream:
                self._stream.flush()
                if self._written.is_file():
                    os.fsync(self._stream.fileno())
            if self._written != self._final:
                self._written.replace(self._final)
        except OSError as error:
            if self._written != self._final:
                self._written.unlink(missing_ok=True)
            raise OutputError(f"{self._path}: cannot write the results: {error.strerror}") from error

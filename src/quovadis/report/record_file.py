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
        self._written = path.with_name(f".{path.name}.{os.getpid()}.part") if path is not None and whole else path
        self._stream: TextIO | None = None

    def __enter__(self) -> TextIO:
        if self._written is None:
            return sys.stdout
        try:
            self._stream = self._written.open("w", encoding="utf-8", newline="")
        except OSError as error:
            raise OutputError(f"{self._path}: cannot write the results: {error.strerror}") from error
        return self._stream

    def __exit__(self, *exception: object) -> None:
        if self._stream is None or self._written is None or self._path is None:
            return
        try:
            with self._stream:
                self._stream.flush()
                os.fsync(self._stream.fileno())
            if self._written != self._path:
                self._written.replace(self._path)
        except OSError as error:
            if self._written != self._path:
                self._written.unlink(missing_ok=True)
            raise OutputError(f"{self._path}: cannot write the results: {error.strerror}") from error

"""The files of a report: each is written whole or not at all."""

from __future__ import annotations

from pathlib import Path

from quovadis.durable import atomic_write
from quovadis.errors import OutputError


def make_folder(folder: Path) -> None:
    """Make the folder of a report if it is not there.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot make the folder for the report: {error.strerror}") from error


def encoded(text: str) -> bytes:
    """Return a report's text as UTF-8."""
    # Bytes of a file name that are no text become escapes, in JSON its own, which read back as they were.
    return text.encode("utf-8", "backslashreplace")


def write_file(path: Path, content: bytes) -> None:
    """Write a file of a report.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        with atomic_write(path) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise OutputError(f"{path}: cannot write the report: {error.strerror}") from error

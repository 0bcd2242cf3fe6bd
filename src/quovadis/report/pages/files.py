"""The files of a report: each is written whole or not at all."""

from __future__ import annotations

from pathlib import Path

from quovadis.durable import output_file


def encoded(text: str) -> bytes:
    """Return a report's text as UTF-8."""
    # Bytes of a file name that are no text become escapes, in JSON its own, which read back as they were.
    return text.encode("utf-8", "backslashreplace")


def write_file(path: Path, content: bytes) -> None:
    """Write a file of a report.

    Raises:
        OutputError: it cannot be written.
    """
    with output_file(path) as temporary:
        temporary.write_bytes(content)

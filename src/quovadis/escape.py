"""Names of files as text: on POSIX systems they may hold bytes that are none."""

from __future__ import annotations


def escaped(name: str) -> str:
    """Return a name whose bytes that are no text are escaped."""
    return name.encode("utf-8", "backslashreplace").decode()

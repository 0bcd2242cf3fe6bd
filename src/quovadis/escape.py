"""Names of files as text: on POSIX systems they may hold bytes that are none."""

from __future__ import annotations

from reprlib import Repr
from unicodedata import category

_SHORT = Repr()
_SHORT.maxstring = 80


def escaped(name: str) -> str:
    """Return a name whose bytes that are no text are escaped."""
    return name.encode("utf-8", "backslashreplace").decode()


def printable(text: str) -> str:
    """Return a line in which control characters, which terminals obey and file names may hold, are escaped."""
    return "".join(letter if category(letter) != "Cc" else letter.encode("unicode_escape").decode() for letter in text)


def shortened(text: str) -> str:
    """Return a string as `repr` writes it, with its middle left out if it is long."""
    return _SHORT.repr(text)

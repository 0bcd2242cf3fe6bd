"""Names of files as text: on POSIX systems they may hold bytes that are none."""

from __future__ import annotations

from reprlib import Repr
from unicodedata import category

_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 80
_JOINERS = "\u200c\u200d"
"""Join and part letters of Persian and of Indian scripts, and pictures; alone they show nothing."""
_HARMFUL = frozenset({"Cc", "Cf", "Zl", "Zp"})
"""Categories of characters that are not shown: terminals obey some, others turn the letters after them round."""


def escaped(name: str) -> str:
    """Return a name whose bytes that are no text are escaped."""
    return name.encode("utf-8", "backslashreplace").decode()


def printable(text: str) -> str:
    """Return a line in which characters that are not shown are escaped, which file names may hold.

    Terminals obey control characters; others, such as U+202E, change the direction of the text around them.
    """
    return "".join(
        letter.encode("unicode_escape").decode() if category(letter) in _HARMFUL and letter not in _JOINERS else letter
        for letter in text
    )


def shortened(value: object) -> str:
    """Return a value as `repr` writes it, in one line, with its middle left out if it is long."""
    return " ".join(_SHORT.repr(value).split())


def quoted(text: str) -> str:
    """Return a text between double quotes, with its middle left out if it is long."""
    return f'"{abbreviated(text)}"'


def abbreviated(text: str, most: int = 80) -> str:
    """Return a text of at most so many characters: where there are more, the middle is left out."""
    half = (most - 1) // 2
    return text if len(text) <= most else f"{text[:half]}…{text[-half:]}"

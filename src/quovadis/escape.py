"""Text for people: names of files, which may hold bytes that are no text, and numbers of things."""

from __future__ import annotations

from reprlib import Repr
from unicodedata import category

from quovadis.errors import without_passwords

_SHORT = Repr()
_SHORT.maxstring = 80


def escaped(name: str) -> str:
    """Return a name whose bytes that are no text are escaped."""
    return name.encode("utf-8", "backslashreplace").decode()


def printable(text: str) -> str:
    """Return a line for people: control characters, which terminals obey, escaped, passwords of addresses hidden."""
    return "".join(
        letter if category(letter) != "Cc" else letter.encode("unicode_escape").decode()
        for letter in without_passwords(text)
    )


def counted(number: int, noun: str) -> str:
    """Return a number of things, in the plural where it must be: 1 class, 2 classes, 3,000 videos."""
    ending = "" if number == 1 else "es" if noun.endswith("s") else "s"
    return f"{number:,} {noun}{ending}"


def counted_are(number: int, noun: str) -> str:
    """Return a number of things with its verb: 1 frame is, 2 frames are."""
    return f"{counted(number, noun)} {'is' if number == 1 else 'are'}"


def there_are(number: int, noun: str) -> str:
    """Return that there is a number of things: there is 1 frame, there are 2 frames."""
    return f"there {'is' if number == 1 else 'are'} {counted(number, noun)}"


def shortened(text: str) -> str:
    """Return a string as `repr` writes it, with its middle left out if it is long, and passwords hidden."""
    return _SHORT.repr(without_passwords(text))

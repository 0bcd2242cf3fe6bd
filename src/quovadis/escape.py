"""Text for people: names of files, which may hold bytes that are no text, and numbers of things."""

from __future__ import annotations

from reprlib import Repr
from unicodedata import category

from quovadis.errors import without_passwords

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
    """Return a line for people: passwords of addresses hidden, and characters that are not shown escaped.

    Terminals obey control characters; others, such as U+202E, change the direction of the text around them.
    """
    return "".join(
        letter.encode("unicode_escape").decode() if category(letter) in _HARMFUL and letter not in _JOINERS else letter
        for letter in without_passwords(text)
    )


def parse_failure(error: Exception) -> str:
    """Return why a text could not be parsed, in one line: of too long a number, without Python's advice to programs."""
    said = " ".join(str(error).split())
    return "a number has more than 4,300 digits" if "set_int_max_str_digits" in said else said


def first_line(error: Exception) -> str:
    """Return the first line of an error that says more than a person needs, such as a compiler's, without its end."""
    return str(error).strip().partition("\n")[0].rstrip(".:")


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


def shortened(value: object) -> str:
    """Return a value as `repr` writes it, in one line, with its middle left out if it is long, and passwords hidden."""
    if isinstance(value, str):
        value = without_passwords(value)
    try:
        return " ".join(_SHORT.repr(value).split())
    except ValueError:
        # Python prints no longer ones.
        return "a number of more than 4,300 digits"


def quoted(text: str) -> str:
    """Return a text between double quotes, with its middle left out if it is long."""
    return f'"{abbreviated(text)}"'


def abbreviated(text: str, most: int = 80) -> str:
    """Return a text of at most so many characters: where there are more, the middle is left out."""
    half = (most - 1) // 2
    return text if len(text) <= most else f"{text[:half]}…{text[-half:]}"

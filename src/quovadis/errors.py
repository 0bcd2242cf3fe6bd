"""Every error that Quovadis raises on purpose.

    QuovadisError
    ├── ArchitectureError          an input the network cannot take
    ├── WeightsError               a weights file that cannot be read or is not what it should be
    │   └── WeightsUnavailableError   no source of official weights answered, or the network is forbidden
    ├── DownloadError              a file that no source gave
    ├── CacheError                 the cache cannot be written
    ├── LabelsError                a class list that does not fit
    ├── EngineError                a device that does not exist, a graph that does not compile
    ├── VideoError                 a video that cannot be read
    │   ├── TruncatedVideoError    less in the file than it declares
    │   ├── VideoLimitError        more in the file than the limits admit
    │   └── UnexpectedError        a bug in Quovadis, or in a library that it uses, which one video triggered
    ├── DatasetError               a list of labelled videos that cannot be read, or does not fit
    ├── TrainingError              a training that cannot begin or cannot go on
    ├── MetricError                features or predictions that a metric cannot be computed of
    ├── OutputError                a result that cannot be written
    ├── NotDoneError               a video that a run did not come to, because it ended early
    └── MissingDependencyError     an optional package is not installed

Each message is one sentence, or two, that names the file and says what to do. Where that is an option, it stands there
as a keyword of Python between backticks, which the command line spells as its flag, and a server as its field.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias, TypeVar

Spell: TypeAlias = Callable[[str, str | None], str]
"""Given an option and its value in Python's notation (None: any), such as `precision` and `"f32"`, returns what to
write in place of both and of the backticks around them. Of a function, such as `quovadis.weights.pull`, the value is
its arguments in their parentheses."""

_OPTION = re.compile(r"(?<![\w./\\-])`([A-Za-z_][\w.]*)(?:=([^`]+)|(\([^`]*\)))?`(?![\w/\\-]|\.\w)")
"""An option between backticks; those within the name of a file, such as "`device`.mp4", are of the name."""
_PORT = r"0*(?:\d{1,4}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5])(?:[/?#\s'\"]|$)"
"""A port, up to 65535, and what ends it in an address or a sentence."""
_PASSWORD = re.compile(
    rf"([A-Za-z][A-Za-z0-9+.-]*://(?!\[)[^\s/?#:@]*):(?:[^\s/?#]*@(?=[^\s/?#])|(?!{_PORT})\S*@)", re.ASCII
)
"""A user and his password before the last @ of an address' host; or, where what follows the colon is no port either,
before the last @ of all, since the password holds a / ? or # that should have been percent-encoded."""


def in_python(name: str, value: str | None) -> str:
    """Return an option as messages have it."""
    return f"`{name}`" if value is None else f"`{name}{value}`" if "." in name else f"`{name}={value}`"


def spell_options(text: str, spell: Spell) -> str:
    """Return a message or a sentence with every option in it written as `spell` has it."""
    return _OPTION.sub(lambda found: spell(found[1], found[2] or found[3]), text)


Error = TypeVar("Error", bound="QuovadisError")


def without_passwords(text: str) -> str:
    """Return a text in which every password of an address is hidden: `rtsp://user:***@host/live`."""
    return _PASSWORD.sub(r"\1:***@", text)


class QuovadisError(Exception):
    """Root of every error that Quovadis raises on purpose; passwords in addresses are hidden in its message."""

    def __init__(self, message: str = "", *, option: str | None = None) -> None:
        """Make the error.

        Args:
            message: one line.
            option: the keyword whose value is at fault, where the message names none.
        """
        super().__init__(without_passwords(message))
        self._option = option

    @property
    def option(self) -> str | None:
        """The option to change, as a keyword of Python; None: none is known.

        It is the one at fault, else the first that the message names, which outlives an error that is raised again
        with more said.
        """
        if self._option is not None:
            return self._option
        names = (found[1] for found in _OPTION.finditer(str(self)))
        return next((name for name in names if name.isidentifier() and name.islower()), None)

    def restated(self, message: str, kind: type[Error]) -> Error:
        """Return an error that says more, for the same option: raise it `from` this one.

        Args:
            message: one line, as a rule with this error's own in it.
            kind: the class of the error.
        """
        return kind(message, option=self.option)

    def spelled(self, spell: Spell) -> str:
        """Return the message with every option in it written as `spell` has it."""
        return spell_options(str(self), spell)


class ArchitectureError(QuovadisError):
    """The network cannot take an input of this shape, or has no endpoint of this name."""


class WeightsError(QuovadisError):
    """A weights file cannot be read, or does not hold what it should."""


class WeightsUnavailableError(WeightsError):
    """None of the sources of official weights answered, or the network is forbidden."""


class DownloadError(QuovadisError):
    """A file could not be fetched: its source does not answer, refuses, or sends something else."""


class CacheError(QuovadisError):
    """The cache cannot be written."""


class LabelsError(QuovadisError):
    """A list of class names cannot be read, or its length differs from the number of classes."""


class EngineError(QuovadisError):
    """An engine cannot be started: unknown device, or a graph that it does not compile."""


class VideoError(QuovadisError):
    """A video cannot be opened or decoded."""


class TruncatedVideoError(VideoError):
    """A video holds less than its header declares."""


class VideoLimitError(VideoError):
    """A video exceeds one of the limits on pixels, frames or seconds."""


class UnexpectedError(VideoError):
    """Work on one video raised an unexpected exception, which is a bug in Quovadis, not a fault of the video."""


class DatasetError(QuovadisError):
    """A list of labelled videos cannot be read, names classes that the network does not have, or is empty."""


class TrainingError(QuovadisError):
    """A training cannot begin, since its options do not go together, or cannot go on, since its loss is no number."""


class MetricError(QuovadisError):
    """Features or predictions that a metric cannot be computed of."""


class OutputError(QuovadisError):
    """A result cannot be written."""


class NotDoneError(QuovadisError):
    """A run ended before it came to this video."""


class MissingDependencyError(QuovadisError):
    """An optional package is needed that is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f'{purpose} needs {package}: run pip install "quovadis[{extra}]"')

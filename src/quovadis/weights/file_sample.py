"""What can be seen of a file without reading all of it, and without running anything in it."""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from quovadis.errors import WeightsError

ZIP = b"PK\x03\x04"
_HEAD_BYTES, _TAIL_BYTES = 1 << 16, 16
_SEARCHED_CHARACTERS = 1 << 14
_CONTROL_CHARACTERS = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f]")
_MARKUP = re.compile(rb"(\xef\xbb\xbf)?\s*<(!doctype|html|\?xml|!--)", re.IGNORECASE)
_MAX_QUOTED_CHARACTERS = 60


@dataclass(frozen=True)
class FileSample:
    """The beginning and the end of a file, and what follows from them."""

    path: Path
    head: bytes
    """The first 64 KiB."""
    tail: bytes
    """The last 16 bytes."""
    size: int
    """Bytes in the whole file."""

    @property
    def suffix(self) -> str:
        """The name's suffix in lower case."""
        return self.path.suffix.lower()

    @property
    def may_be_safetensors(self) -> bool:
        """Whether it begins with the length of a header and a brace; those eight bytes may look like any file's."""
        return self.head[8:9] == b"{" and int.from_bytes(self.head[:8], "little") < self.size

    @cached_property
    def text(self) -> str:
        """The beginning as text, without space before it; empty if the file is not text."""
        if _MARKUP.match(self.head):
            # Pages come in other encodings too, and with characters that texts do not hold.
            return self.head.decode("utf-8-sig", "replace").lstrip()
        encoding = "utf-16" if self.head.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
        try:
            text = self.head.decode(encoding)
        except UnicodeDecodeError as error:
            # A character at the end of the sample may be incomplete.
            if len(self.head) == self.size or error.start <= len(self.head) - 4:
                return ""
            text = self.head[: error.start].decode(encoding)
        return "" if _CONTROL_CHARACTERS.search(text) else text.lstrip()

    @cached_property
    def members(self) -> tuple[str, ...] | None:
        """The names of the files in a zip archive; None if this is none, or its table of contents is missing."""
        if not self.head.startswith(ZIP):
            return None
        try:
            with zipfile.ZipFile(self.path) as archive:
                return tuple(archive.namelist())
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
            return None

    def search(self, pattern: str) -> str | None:
        """Return the first group of a regular expression, or all it matches, in the text; None if it does not match."""
        found = re.search(pattern, self.text[:_SEARCHED_CHARACTERS], re.IGNORECASE | re.DOTALL)
        return None if found is None else quoted(found[found.lastindex or 0])


def read_sample(path: Path) -> FileSample:
    """Read the beginning and the end of a file.

    Raises:
        WeightsError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
            size = file.seek(0, 2)
            file.seek(max(size - _TAIL_BYTES, 0))
            return FileSample(path, head, file.read(_TAIL_BYTES), size)
    except OSError as error:
        raise read_error(path, error) from error


def read_whole(path: Path, max_bytes: int, what: str) -> bytes:
    """Return the content of a file.

    Args:
        path: of the file.
        max_bytes: the most that a file of its kind has.
        what: its kind, such as "a frozen graph".

    Raises:
        WeightsError: it cannot be read, or is too large.
    """
    try:
        if path.stat().st_size > max_bytes:
            raise WeightsError(f"{path}: too large to be {what}")
        return path.read_bytes()
    except OSError as error:
        raise read_error(path, error) from error


def read_error(path: Path, error: OSError | ValueError) -> WeightsError:
    """Return the error for weights that the system does not let us read."""
    return WeightsError(f"{path}: cannot read the weights: {getattr(error, 'strerror', None) or error}")


def quoted(text: str) -> str:
    """Return the beginning of a text from a file on one line that is safe to print."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= _MAX_QUOTED_CHARACTERS else line[: _MAX_QUOTED_CHARACTERS - 1] + "…"

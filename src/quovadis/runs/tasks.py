"""What a run works on, what it makes of it, and how that is kept."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from quovadis.escape import escaped
from quovadis.video.source import STANDARD_INPUT, is_address, local_path, public_name
from quovadis.video.sources import standard_input

STANDARD_INPUT_KEY = "stdin://"
"""What the keys of videos that were piped in begin with."""
Payload = TypeVar("Payload")
Result = TypeVar("Result")


@dataclass(frozen=True)
class VideoTask(Generic[Payload]):
    """A video to be worked on."""

    key: str
    """What tells it from all others of the run, and finds its result in a later one: see `video_key`."""
    name: str
    """What the user calls it, for errors that do not say it."""
    path: Path | None
    """Its file or folder, which must not have changed for its result to count; None: its result is never kept."""
    payload: Payload
    """What the work needs to know of it."""


@dataclass(frozen=True)
class DoneVideo(Generic[Payload, Result]):
    """A video and its result."""

    task: VideoTask[Payload]
    result: Result
    is_earlier: bool
    """Whether an earlier run has made it."""


@dataclass(frozen=True)
class Outcome:
    """How a run over many videos went."""

    done: int
    """Videos with a result, those of earlier runs too."""
    earlier: int
    """Videos whose result an earlier run has made."""
    failures: int
    """Videos without a result."""


class Codec(Protocol[Result]):
    """Turns results into bytes and back, as a ledger keeps them."""

    def encode(self, result: Result) -> bytes:
        """Return the result as bytes."""
        ...

    def decode(self, content: bytes) -> Result | None:
        """Read what `encode` wrote; None: what it tells of no longer counts, and the video is worked on again.

        Raises:
            ValueError: it is something else.
        """
        ...


def video_key(source: str) -> str:
    """Return what tells a video from all others as text: its address, or its path as `resolved_path` writes it.

    Of standard input it is the content. An address is the same whatever its password, which no record holds.

    Raises:
        VideoError: standard input cannot be read.
    """
    if source == STANDARD_INPUT:
        return f"{STANDARD_INPUT_KEY}{standard_input().fingerprint()}"
    # Backslashes are doubled, so that no name looks like another one's escapes.
    name = public_name(source) if is_address(source) else resolved_path(local_path(source))
    return escaped(name.replace("\\", "\\\\"))


def video_path(source: str) -> Path:
    """Return where a video lies, however its source is written; of an address, no path that exists."""
    # Whatever may be called so, it is not the video.
    path = Path(os.devnull, "stdin") if source == STANDARD_INPUT else local_path(source)
    return path if is_address(source) else Path(resolved_path(path))


def resolved_path(path: Path) -> str:
    """Return the path as it is written without `..` and links to folders; a link to a video keeps its name."""
    if path.name in ("", ".."):
        return os.path.realpath(path)
    return str(Path(os.path.realpath(path.parent)) / path.name)

"""What a run works on, what it makes of it, and how that is kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

Payload = TypeVar("Payload")
Result = TypeVar("Result")


@dataclass(frozen=True)
class VideoTask(Generic[Payload]):
    """A video to be worked on."""

    key: str
    """What tells it from all others of the run, and finds its result in a later one: see `quovadis.video.keys`."""
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

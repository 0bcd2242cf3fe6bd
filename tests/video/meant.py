"""Differences from FFmpeg that are meant, each with its reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from compare import Difference, Kind


@dataclass(frozen=True)
class Meant:
    """A difference that is meant."""

    kinds: tuple[Kind, ...]
    applies: Callable[[str], bool]
    """Tells by the name of a video."""
    reason: str


def _has(*texts: str) -> Callable[[str], bool]:
    return lambda name: all(text in name for text in texts)


def _has_any(*texts: str) -> Callable[[str], bool]:
    return lambda name: any(text in name for text in texts)


MEANT: tuple[Meant, ...] = (
    Meant(
        ("frames", "times", "25 a second", "last tick", "seconds"),
        lambda name: "av1" in name and ("hidden" in name or "cut at the start" in name),
        "FFmpeg 5.1 shows frames of AV1 that an edit list hides; FFmpeg 8 and this package do not",
    ),
    Meant(
        ("frames", "25 a second", "seconds"),
        _has("x265 recorded from the middle"),
        "FFmpeg 5.1 shows frames of HEVC before the first whole one, made of gray; FFmpeg 8 leaves them out",
    ),
    Meant(
        ("last tick",),
        _has_any("rate uneven", "rate pause", "rate frames left out", "a pause of 20 s"),
        "how long the last frame is shown is nowhere written where the rate is variable: here as long as usual, in "
        "FFmpeg's command as its container guesses",
    ),
    Meant(
        ("frames", "25 a second", "last tick", "seconds"),
        _has("hidden start", "rate uneven"),
        "an edit list that begins within a frame: FFmpeg 5.1 shows this frame, FFmpeg 8 begins with the next",
    ),
)
"""Held against the pairs of FFmpeg 5.1 (Debian 12's command) and FFmpeg 8 (within PyAV)."""


def reason_for(name: str, difference: Difference) -> Meant | None:
    """Return the entry that a difference is listed under, or None."""
    return next((meant for meant in MEANT if difference.kind in meant.kinds and meant.applies(name)), None)

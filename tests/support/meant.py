"""Differences from FFmpeg that are meant, each with its reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from support.compare import Difference, Kind


@dataclass(frozen=True)
class Meant:
    """A difference that is meant."""

    kinds: tuple[Kind, ...]
    applies: Callable[[str], bool]
    """Tells by the name of a video."""
    reason: str


def _has(*texts: str) -> Callable[[str], bool]:
    return lambda name: all(text in name for text in texts)


def _edited_intra(name: str) -> bool:
    is_edited = any(edit in name for edit in ("hidden start", "hidden middle", "cut at the start"))
    return is_edited and any(codec in name for codec in (", mjpeg", ", png", ", prores"))


MEANT: tuple[Meant, ...] = (
    Meant(
        ("frames", "times", "25 a second", "last tick", "seconds"),
        lambda name: "av1" in name and ("hidden" in name or "cut at the start" in name),
        "FFmpeg 5.1 shows frames of AV1 that an edit list hides; FFmpeg 8 and this package do not",
    ),
    Meant(
        ("frames", "25 a second", "last tick", "seconds"),
        lambda name: _edited_intra(name) or ("hidden start" in name and "rate uneven" in name),
        "an edit that begins within a frame: FFmpeg 5.1 shows this frame, FFmpeg 8 begins with the next",
    ),
    Meant(
        ("frames", "25 a second", "seconds"),
        _has("x265 recorded from the middle"),
        "FFmpeg 5.1 shows frames of HEVC before the first whole one, made of gray; FFmpeg 8 leaves them out",
    ),
    Meant(
        ("times", "25 a second", "last tick", "seconds"),
        lambda name: name.startswith(("vob, h264", "asf, h264, 2 B-frames")),
        "H.264 in VOB has a time only on some frames, and B-frames in ASF have no decoding times: FFmpeg 5.1 and 8 "
        "guess these differently",
    ),
    Meant(
        ("25 a second", "last tick"),
        _has("of two sizes"),
        "FFmpeg's command begins its filter again where the size changes, and loses the frame before it",
    ),
    Meant(
        ("25 a second", "last tick"),
        lambda name: name.startswith("webm") and "sound" in name,
        "a WebM whose sound is Opus begins at -0.007 s for FFmpeg 5.1 and at 0 for FFmpeg 8, so that the ticks fall "
        "otherwise on frames that are not 1/25 s apart",
    ),
    Meant(
        ("25 a second", "last tick", "seconds"),
        lambda name: ("hidden end" in name or "hidden middle" in name) and "rate pause" in name,
        "the last frame before a pause that an edit list hides: here shown for as long as its packet says",
    ),
    Meant(
        ("last tick",),
        lambda name: (
            any(text in name for text in ("rate uneven", "rate pause", "rate frames left out", "a pause of 20 s"))
            or name.startswith("ts, mpeg4")
        ),
        "the last frame where the rate is variable: here it is shown for as long as its packet says, or else as others "
        "are; FFmpeg 5.1's command often gives it no time at all",
    ),
)
"""Held against the pairs of FFmpeg 5.1 (Debian 12's command) and FFmpeg 8 (within PyAV)."""


def reason_for(name: str, difference: Difference) -> Meant | None:
    """Return the entry that a difference is listed under, or None."""
    return next((meant for meant in MEANT if difference.kind in meant.kinds and meant.applies(name)), None)

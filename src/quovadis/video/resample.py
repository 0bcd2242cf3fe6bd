"""Frames at another rate, by their timestamps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import NamedTuple

from quovadis.video.frames import DecodedFrame


class ResampledFrame(NamedTuple):
    """One tick of the output and the frame that is shown at it."""

    tick: int
    decoded: DecodedFrame


def tick_of(seconds: Fraction, fps: Fraction) -> int:
    """Return the tick nearest to a time, the later one of two."""
    return int((seconds * fps + Fraction(1, 2)).__floor__())


def resample(
    frames: Iterable[DecodedFrame],
    fps: Fraction,
    check_tick: Callable[[int], None],
    first_seconds: Callable[[], Fraction] = Fraction,
) -> Iterator[ResampledFrame]:
    """Yield a frame for every tick of 1/fps seconds, from the first frame to the end of the last.

    Tick k shows the last frame whose own nearest tick is not after k: the rule of FFmpeg's `fps` filter with
    `round=near`. A frame that shares its tick with the next is never shown. However short, a video has one tick.

    Args:
        frames: in order of time, the first at 0 seconds.
        fps: ticks a second.
        check_tick: called with each tick before anything up to it is yielded, to stop runaway timestamps.
        first_seconds: returns, once the first frame was taken, its time by the clock whose ticks FFmpeg would take: a
            picture that begins after the sound begins between two of them. Ticks are numbered from that frame all the
            same.
    """
    current: DecodedFrame | None = None
    tick = origin = 0
    phase = Fraction(0)
    for frame in frames:
        if current is None:
            phase = first_seconds()
            origin = tick_of(frame.pts_seconds + phase, fps)
        following = tick_of(frame.pts_seconds + phase, fps) - origin
        check_tick(following)
        if current is not None:
            for shown in range(tick, following):
                yield ResampledFrame(shown, current)
            tick = max(tick, following)
        current = frame
    if current is not None:
        end_seconds = current.pts_seconds + current.duration_seconds + phase
        end = max(tick_of(end_seconds, fps) - origin, 1 if tick == 0 else tick)
        check_tick(end)
        for shown in range(tick, end):
            yield ResampledFrame(shown, current)

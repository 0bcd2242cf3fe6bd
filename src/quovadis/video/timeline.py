"""When each frame of a video is shown, by its packets alone, so that frames are found without decoding those before."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from threading import Lock
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from quovadis.errors import VideoError
from quovadis.video.frames import DecodedFrame
from quovadis.video.resample import tick_of

_MAX_KNOWN_FRAMES = 4_000_000
"""Frames of all timelines that one process keeps: 32 MB."""


class SeekError(VideoError):
    """Decoding from the middle gave other frames than the packets had promised: only decoding from the start tells."""


class KeyFrame(NamedTuple):
    """A frame that decoding may begin at."""

    ordinal: int
    """Which frame of the video it is, from 0, in the order they are shown; of a hidden one, the first that is shown."""
    pts: int
    """When it is shown, in ticks of the file."""
    seek_ticks: int
    """What the container is asked for to find it."""


@dataclass(frozen=True, eq=False)
class Timeline:
    """When each frame of a video is shown."""

    pts: NDArray[np.int64]
    """Of each frame, in ticks of the file, ascending, no two the same; at least one."""
    time_base: Fraction
    """Seconds of a tick."""
    last_seconds: Fraction
    """How long the last frame is shown."""
    phase_seconds: Fraction = Fraction(0)
    """When the first frame is shown, counted from where FFmpeg begins to count."""
    keys: Sequence[KeyFrame] = field(default=(), repr=False)
    """In order; the first one's ordinal is 0. Empty: every frame can be read on its own."""

    def key_before(self, ordinal: int) -> KeyFrame:
        """Return the last frame from which this one can be decoded."""
        return self.keys[bisect_right(self.keys, ordinal, key=lambda key: key.ordinal) - 1]

    def count(self, fps: Fraction | None) -> int:
        """Return how many frames there are at a rate; None: at the file's own."""
        if fps is None:
            return len(self.pts)
        ticks = self._ticks(fps)
        end = self._tick(len(self.pts) - 1, fps, self.last_seconds) - self._tick(0, fps)
        return int(max(end, ticks[-1] or 1))

    def ordinals(self, indices: Sequence[int], fps: Fraction | None) -> list[int]:
        """Return which frame of the file is shown as each frame at a rate, as `resample` has it.

        Raises:
            SeekError: an index is beyond the end.
        """
        if indices and max(indices) >= self.count(fps):
            raise SeekError("frames after the end")
        if fps is None:
            return list(indices)
        ticks = self._ticks(fps)
        return [bisect_right(ticks, index) - 1 for index in indices]

    def _tick(self, ordinal: int, fps: Fraction, later: Fraction = Fraction(0)) -> int:
        since_first = int(self.pts[ordinal] - self.pts[0]) * self.time_base
        return tick_of(since_first + self.phase_seconds + later, fps)

    @lru_cache(maxsize=8)  # noqa: B019 - a few timelines, which are small
    def _ticks(self, fps: Fraction) -> list[int]:
        """Return the nearest tick of each frame, counted from the first one's."""
        # `tick_of` in whole numbers, of which a long video has many.
        step, offset = self.time_base * fps, self.phase_seconds * fps + Fraction(1, 2)
        scale = step.denominator * offset.denominator
        by, plus = step.numerator * offset.denominator, offset.numerator * step.denominator
        origin = plus // scale
        return [(ticks * by + plus) // scale - origin for ticks in (self.pts - self.pts[0]).tolist()]


@runtime_checkable
class SeekableSource(Protocol):
    """A source of decoded frames that may be read from the middle."""

    def timeline(self) -> Timeline | None:
        """Return when each frame is shown, without decoding; None: only decoding tells.

        Afterwards the frames can be read by `frames_at` alone.
        """
        ...

    def frames_at(self, timeline: Timeline, ordinals: Sequence[int]) -> Iterator[DecodedFrame]:
        """Yield some of the frames, which are the same as when all are decoded.

        Args:
            timeline: of this source.
            ordinals: which frames, ascending, each once.

        Raises:
            SeekError: they may not be the same.
        """
        ...


def timeline_of_packets(
    frames: Sequence[tuple[int, int]],
    keys: Sequence[tuple[int, int]],
    time_base: Fraction,
    frame_seconds: Fraction,
    zero_seconds: Fraction | None,
) -> Timeline | None:
    """Return the timeline of a video whose packets make a frame each; None where they do not tell it.

    Args:
        frames: presentation time and duration (0: not known) of the packets that are to be shown, in ticks.
        keys: presentation time, and the time to seek by, of the packets that decoding may begin at, in order.
        time_base: seconds of a tick.
        frame_seconds: how long a frame lasts that does not say.
        zero_seconds: from where FFmpeg begins to count, by the file's clock; None: from the first frame.
    """
    shown = sorted(frames)
    pts = [time for time, _ in shown]
    if not pts or not keys or any(a >= b for a, b in pairwise(pts)):
        return None
    # Frames that are shown before the first that decoding may begin at do not come out of every decoder.
    if keys[0][0] > pts[0] or any(a[0] >= b[0] for a, b in pairwise(keys)):
        return None
    starts = [KeyFrame(bisect_left(pts, time), time, seek) for time, seek in keys]
    # What a hidden frame holds is never seen, so that it is relied on at the beginning alone.
    starts = [key for key in starts if not key.ordinal or (key.ordinal < len(pts) and pts[key.ordinal] == key.pts)]
    phase = Fraction(0) if zero_seconds is None else pts[0] * time_base - zero_seconds
    last = shown[-1][1] * time_base or frame_seconds
    return Timeline(np.array(pts, np.int64), time_base, last, phase, starts)


class KnownTimelines:
    """Timelines of files that were read before in this process, the last ones."""

    def __init__(self, max_frames: int = _MAX_KNOWN_FRAMES) -> None:
        """Take how many frames those that are kept may have in all."""
        self._max_frames = max_frames
        self._frames = 0
        self._known: OrderedDict[str, Timeline | None] = OrderedDict()
        self._lock = Lock()

    def get(self, state: str, read: Callable[[], Timeline | None]) -> Timeline | None:
        """Return the timeline of a file.

        Args:
            state: of the file; changes when it is written to.
            read: reads the timeline where it is not known.
        """
        with self._lock:
            if state in self._known:
                self._known.move_to_end(state)
                return self._known[state]
        timeline = read()
        with self._lock:
            if state not in self._known:
                self._known[state] = timeline
                self._frames += _size(timeline)
            while self._frames > self._max_frames:
                self._frames -= _size(self._known.popitem(last=False)[1])
        return timeline


def _size(timeline: Timeline | None) -> int:
    return 1 if timeline is None else len(timeline.pts)

"""When each frame is shown, from timestamps that may be missing, wrong or start again, by the rules of FFmpeg."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import av
    from av.packet import Packet
    from av.video.stream import VideoStream

STEP_BACK_SECONDS = Fraction(1, 10)
"""A clock that falls further behind the packet before it has started again."""
JUMP_SECONDS = Fraction(10)
"""A clock that runs further ahead of where the packet before it ended has jumped; FFmpeg's `dts_delta_threshold`."""


class PacketClock:
    """Makes a clock that jumps continuous, in formats that can have such a clock: joined recordings, broadcasts.

    A packet's decoding time is compared with where the packet before it ended. If it lies over 0.1 seconds before the
    start of that packet, or more than 10 seconds from where it is due, this packet and all that follow it are moved so
    that the video continues without a gap (`ts_discontinuity_process` in fftools/ffmpeg.c).
    """

    def __init__(self, time_base: Fraction, frame_seconds: Fraction) -> None:
        """Start the clock.

        Args:
            time_base: seconds of a tick of the packets' timestamps.
            frame_seconds: how long a packet lasts that does not say.
        """
        self._time_base = time_base
        self._frame_ticks = round(frame_seconds / time_base)
        self._offset = 0
        self._last: int | None = None
        self._due: int | None = None
        self.jumps = 0
        """How often the clock has jumped so far."""
        self.first_jump_seconds = 0.0
        """Where in the video it jumped first, in seconds since its first packet."""
        self._first: int | None = None

    def correct(self, packet: Packet[VideoStream]) -> None:
        """Move the packet's timestamps so that they continue those before."""
        if packet.dts is None:
            if packet.pts is not None:
                packet.pts += self._offset
            return
        decoded = packet.dts + self._offset
        if self._last is not None and self._due is not None:
            ahead = (decoded - self._due) * self._time_base
            behind = (self._last - decoded) * self._time_base
            if abs(ahead) > JUMP_SECONDS or behind > STEP_BACK_SECONDS:
                self._offset += self._due - decoded
                decoded = self._due
                if not self.jumps:
                    self.first_jump_seconds = float((decoded - (self._first or 0)) * self._time_base)
                self.jumps += 1
        if self._first is None:
            self._first = decoded
        packet.dts = decoded
        if packet.pts is not None:
            packet.pts += self._offset
        self._last, self._due = decoded, decoded + (packet.duration or self._frame_ticks)


@dataclass
class _BestEffort:
    """FFmpeg's choice between a frame's presentation and decoding time (`guess_correct_pts` in libavcodec/decode.c).

    Presentation times are right nearly always. Where they go back more often than decoding times do, or are missing as
    those of AVI, frames come in the order in which they are shown, and decoding times grow in step with them.
    """

    faulty_pts: int = 0
    faulty_dts: int = 0
    last_pts: int | None = None
    last_dts: int | None = None

    def choose(self, pts: int | None, dts: int | None) -> int | None:
        if dts is not None:
            self.faulty_dts += self.last_dts is not None and dts <= self.last_dts
            self.last_dts = dts
        elif pts is not None:
            self.last_dts = pts
        if pts is not None:
            self.faulty_pts += self.last_pts is not None and pts <= self.last_pts
            self.last_pts = pts
        elif dts is not None:
            self.last_pts = dts
        trusts_pts = self.faulty_pts <= self.faulty_dts or dts is None
        return pts if trusts_pts and pts is not None else dts


class FrameClock:
    """Gives frames times that never go back."""

    def __init__(self, time_base: Fraction, frame_seconds: Fraction, first_seconds: Fraction | None = None) -> None:
        """Start the clock.

        Args:
            time_base: seconds of a tick of the frames' timestamps.
            frame_seconds: how long a frame is shown that does not say.
            first_seconds: the first frame's own time, where it is not the first to be stamped; None: it is.
        """
        self._time_base = time_base
        self._frame_seconds = frame_seconds
        self._best_effort = _BestEffort()
        self._first = first_seconds
        self._next = Fraction(0)
        self._last = Fraction(0)

    @property
    def first_seconds(self) -> Fraction | None:
        """The first frame's own time, by the container's clock; None until a frame has had a timestamp."""
        return self._first

    def stamp(self, frame: av.VideoFrame) -> tuple[Fraction, Fraction]:
        """Return the frame's time since the first one, and how long it is shown, both in seconds."""
        duration = frame.duration * self._time_base if frame.duration else self._frame_seconds
        ticks = self._best_effort.choose(frame.pts, frame.dts)
        if ticks is None:
            seconds = self._next
        else:
            stamp = ticks * self._time_base
            if self._first is None:
                self._first = stamp - self._next
            seconds = stamp - self._first
        seconds = max(seconds, self._last)
        self._last, self._next = seconds, seconds + duration
        return seconds, duration

"""A video decoded frame by frame, with an account of what the file promised and what it held."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import av
from av.stream import Disposition

from quovadis.errors import TruncatedVideoError, VideoError
from quovadis.escape import counted
from quovadis.limits import VideoLimits
from quovadis.video.account import PacketAccount, declared_frames, declared_seconds
from quovadis.video.clock import FrameClock, PacketClock
from quovadis.video.diagnosis import refused_for_size
from quovadis.video.frames import DecodedFrame
from quovadis.video.orientation import Orientation, read_orientation
from quovadis.video.source import OpenInstructions

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

_OPEN_SECONDS, _READ_SECONDS = 15.0, 30.0
_METADATA: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
"""Titles that are no UTF-8 are no reason to refuse a video; PyAV 19 replaces what it cannot read of its own accord."""
_FALLBACK_RATE = Fraction(25)
_CLOCK_MAY_JUMP = 0x0200
"""`AVFMT_TS_DISCONT` (libavformat/avformat.h): formats whose timestamps may be discontinuous."""
_PACKETS_IN_FLIGHT = 17
"""FFmpeg's decoders run at most 16 threads of their own accord."""
SMALL_PIXELS = 640 * 480
"""Of a frame that one thread decodes faster than the network takes it, with less work in all than several threads."""


@dataclass
class VideoReport:
    """What a video turned out to hold; complete once its frames were all taken."""

    frames_decoded: int = 0
    frames_declared: int | None = None
    """By the header; None where it does not say."""
    seconds_found: float = 0.0
    """From the first frame to the end of the last."""
    seconds_declared: float | None = None
    """By the header; None where it does not say."""
    damaged_packets: int = 0
    incomplete: bool = False
    """Whether the video is damaged or cut off."""
    notes: tuple[str, ...] = field(default=())
    """What was unusual, in plain sentences."""


class Decoder:
    """One video open for decoding; frames can be taken once."""

    frame_count: int | None = None

    def __init__(
        self, name: str, instructions: OpenInstructions, limits: VideoLimits, *, allow_partial: bool, threads: int
    ) -> None:
        """Open the video and find its picture stream.

        Args:
            name: what errors call the video.
            instructions: how FFmpeg is to open it.
            limits: the most to accept.
            allow_partial: go on over damage and accept less than was declared.
            threads: of the decoder; 0: one for small frames, else as many as FFmpeg sees fit.

        Raises:
            VideoError: it cannot be opened, or has no pictures.
            VideoLimitError: its header declares more than the limits admit.
        """
        self._name = name
        self._limits = limits
        self._allow_partial = allow_partial
        self._kind = instructions.kind
        self._path = instructions.path
        self.report = VideoReport()
        # A decoder on several threads reports a packet's error some packets later.
        self._recent: deque[Packet[VideoStream]] = deque(maxlen=_PACKETS_IN_FLIGHT)
        self._angle_and_orientation: tuple[int, Orientation] | None = None
        self._container = self._open(instructions)
        try:
            self._stream = self._find_stream()
            self._configure(threads)
            # Read now: once the video is closed, FFmpeg's memory of it is gone.
            rate = self._stream.average_rate
            self._frames_per_second = float(rate) if rate else None
            self._frame_seconds = Fraction(1) / (rate or _FALLBACK_RATE)
            self._time_base = time_base = self._stream.time_base or self._frame_seconds
            has_jumps = bool(self._container.format.flags & _CLOCK_MAY_JUMP)
            self._packet_clock = PacketClock(time_base, self._frame_seconds) if has_jumps else None
            self._clock = FrameClock(time_base, self._frame_seconds)
            self._zero_seconds = self._start_seconds(time_base, is_picture=has_jumps)
        except BaseException:
            self.close()
            raise

    # --- what the header says ---------------------------------------------------------------------------------------

    @property
    def live(self) -> bool:
        """Whether the source has no end of its own."""
        return self._kind == "camera" or (self._kind == "network" and self.duration_seconds is None)

    @property
    def duration_seconds(self) -> float | None:
        """The length by the header or by FFmpeg's estimate, in seconds; None where there is neither."""
        seconds = declared_seconds(self._container, self._stream)
        if seconds is None and self._container.duration is not None:
            seconds = Fraction(self._container.duration, 1_000_000)
        return None if seconds is None or seconds <= 0 else float(seconds)

    @property
    def frames_per_second(self) -> float | None:
        """Average rate by the header, or None."""
        return self._frames_per_second

    # --- opening ----------------------------------------------------------------------------------------------------

    def _start_seconds(self, time_base: Fraction, *, is_picture: bool) -> Fraction | None:
        """Return the time from which FFmpeg's command counts, by the container's clock, in whole ticks as it does."""
        if is_picture:
            start = self._stream.start_time
            return None if start is None else start * time_base
        whole = self._container.start_time
        return None if whole is None else round(Fraction(whole, 1_000_000) / time_base) * time_base

    def _open(self, instructions: OpenInstructions) -> InputContainer:
        # The pixel limit holds for probing too: FFmpeg decodes a first frame to learn a stream's format.
        # PyAV has FFmpeg make up presentation times where there are none, which are wrong for AVI with B-frames.
        options = {**instructions.options, "max_pixels": str(self._limits.max_pixels), "fflags": "-genpts"}
        timeout = None if instructions.kind == "file" else (_OPEN_SECONDS, _READ_SECONDS)
        try:
            container: InputContainer = av.open(
                instructions.address, "r", format=instructions.demuxer, options=options, timeout=timeout, **_METADATA
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            # What FFmpeg says of an address holds the password in it.
            cause = None if self._kind == "network" else error
            raise VideoError(f"{self._name}: {self._why_not_open(error)}") from cause
        return container

    def _why_not_open(self, error: Exception) -> str:
        if self._kind == "camera":
            return f"no such camera, or it is in use: {_reason(error)}"
        if self._kind == "network":
            return f"cannot be opened: {_reason(error)}; check the address and the network"
        if isinstance(error, av.InvalidDataError | ValueError):
            return "not a video that can be read, or its beginning is damaged or missing; check or convert the file"
        return f"cannot be opened: {_reason(error)}"

    def _find_stream(self) -> VideoStream:
        # Cover pictures of songs are streams of one picture, not videos.
        streams = [s for s in self._container.streams.video if not s.disposition & Disposition.attached_pic]
        if not streams:
            has_sound = bool(self._container.streams.audio)
            raise VideoError(
                f"{self._name}: {'only sound' if has_sound else 'nothing'} in it, no video; give another file"
            )
        # The first of the best; `max` keeps the first.
        stream = max(streams, key=_rank)
        if stream.codec_context is None:
            raise VideoError(f"{self._name}: its codec cannot be decoded here; convert it, for example to H.264")
        return stream

    def _configure(self, threads: int) -> None:
        context = self._stream.codec_context
        self._check_pixels(context.width, context.height)
        # The container's options do not reach the decoder, so the limit is set where frames are allocated.
        context.options = {"max_pixels": str(self._limits.max_pixels)}
        context.thread_type = "AUTO"
        is_small = context.width * context.height <= SMALL_PIXELS
        context.thread_count = threads or (1 if is_small else 0)
        self.report.frames_declared = declared_frames(self._stream)
        promised = None if self.live else declared_seconds(self._container, self._stream)
        self.report.seconds_declared = declared = None if promised is None else float(promised)
        if declared is not None and declared > self._limits.max_seconds:
            raise self._limits.exceeded(self._name, f"it lasts {declared:,.2f} seconds, longer", "max_seconds")

    def close(self) -> None:
        """Close the video; safe to call twice."""
        self._container.close()

    # --- decoding ---------------------------------------------------------------------------------------------------

    def frames(self) -> Iterator[DecodedFrame]:
        """Yield every frame in the order it is shown.

        Raises:
            VideoError: damage, unless partial videos are allowed; or no frame at all.
            TruncatedVideoError: less was there than declared, unless partial videos are allowed.
            VideoLimitError: more was there than the limits admit.
        """
        account = PacketAccount(self._container, self._stream, self._frame_seconds)
        packets = self._continuous(self._packets(account))
        for frame in self._frames(packets, account):
            self._check_pixels(frame.width, frame.height)
            seconds, duration = self._clock.stamp(frame)
            decoded = DecodedFrame(frame, self._aspect_ratio(), self._orientation(frame), seconds, duration)
            self.report.frames_decoded += 1
            self.report.seconds_found = float(seconds + duration)
            self._check_length()
            yield decoded
        self._settle(account)

    @property
    def first_seconds(self) -> Fraction:
        """When the first frame is shown, counted from where FFmpeg begins to count; known once it was decoded.

        That is the start of the container, which the sound may begin; where clocks may jump, the start of the picture.
        """
        first = self._clock.first_seconds
        if first is None or self._zero_seconds is None:
            return Fraction(0)
        return first - self._zero_seconds

    def _frames(self, packets: Iterator[Packet[VideoStream]], account: PacketAccount) -> Iterator[av.VideoFrame]:
        for packet in packets:
            # Sent to a decoder, a packet without content would tell it that the video has ended.
            if packet.size:
                yield from self._counted(self._decode(packet, account), account)
        # Asked for by ourselves: PyAV's last packets, which flush decoders, do not tell whose they are.
        while frames := self._decode(None, account):
            yield from self._counted(frames, account)

    def _counted(self, frames: list[av.VideoFrame], account: PacketAccount) -> Iterator[av.VideoFrame]:
        for frame in frames:
            # Of those that are asked for without a packet, PyAV does not know it.
            frame.time_base = self._time_base
            account.came_out(frame)
            yield frame

    def _aspect_ratio(self) -> Fraction:
        ratio = self._stream.sample_aspect_ratio
        return ratio if ratio and ratio > 0 else Fraction(1)

    def _orientation(self, frame: av.VideoFrame) -> Orientation:
        # Read again only when the angle changes, which PyAV tells cheaply: a track is mirrored as a whole or not.
        if self._angle_and_orientation is None or self._angle_and_orientation[0] != frame.rotation:
            self._angle_and_orientation = frame.rotation, read_orientation(frame)
        return self._angle_and_orientation[1]

    def _packets(self, account: PacketAccount) -> Iterator[Packet[VideoStream]]:
        packets = self._container.demux()
        while True:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError) as error:
                if self._kind != "file" and not self.report.frames_decoded:
                    # FFmpeg says no more than that, of the MP4s of phones from a server without ranges of bytes.
                    advice = "" if self._kind == "camera" else "; download the video, and give the file"
                    raise VideoError(f"{self._name}: cannot be read: {_reason(error)}{advice}") from error
                self._damage(f"cannot be read on: {_reason(error)}")
                return
            if packet is None:
                return
            # The packets that PyAV ends with, to flush its decoders, have neither content nor time.
            if not packet.size and packet.pts is None and packet.dts is None:
                continue
            account.add(packet)
            # Of the stream, not `packet.stream_index`, which is not always set.
            if packet.stream.index == self._stream.index:
                yield cast("Packet[VideoStream]", packet)

    def _continuous(self, packets: Iterator[Packet[VideoStream]]) -> Iterator[Packet[VideoStream]]:
        if self._packet_clock is None:
            yield from packets
            return
        for packet in packets:
            self._packet_clock.correct(packet)
            yield packet

    def _decode(self, packet: Packet[VideoStream] | None, account: PacketAccount) -> list[av.VideoFrame]:
        """Return what the decoder gives for a packet, or for None what it still holds; at its end, nothing."""
        if packet is not None:
            self._recent.append(packet)
        try:
            frames = self._stream.codec_context.decode(packet)
        except av.EOFError:
            # Nothing is left; of a packet it is counted, so that the account finds what did not come out.
            frames = []
        except (av.FFmpegError, OSError, ValueError) as error:
            if refused_for_size(self._stream, self._recent, self._limits.max_pixels):
                raise self._limits.exceeded(self._name, "its frames are larger", "max_pixels") from error
            self._damage(f"damaged: {_reason(error)}")
            return []
        if packet is not None:
            account.sent(packet)
        return frames

    def _damage(self, what: str) -> None:
        if not self._allow_partial:
            seconds = self.report.seconds_found
            raise VideoError(
                f"{self._name}: {what}, after {counted(self.report.frames_decoded, 'frame')} ({seconds:.2f} s); "
                "`allow_partial=True` takes what can be read"
            )
        self.report.damaged_packets += 1

    def _check_pixels(self, width: int, height: int) -> None:
        if width * height > self._limits.max_pixels:
            raise self._limits.exceeded(self._name, f"its frames of {width}x{height} are larger", "max_pixels")

    def _check_length(self) -> None:
        if self.live:
            return
        if self.report.frames_decoded > self._limits.max_frames:
            raise self._limits.exceeded(self._name, "it has more frames", "max_frames")
        if self.report.seconds_found > self._limits.max_seconds:
            raise self._limits.exceeded(self._name, "it is longer", "max_seconds")

    # --- the account at the end -------------------------------------------------------------------------------------

    def _settle(self, account: PacketAccount) -> None:
        report = self.report
        shortfall = None if self.live else self._shortfall(account)
        if shortfall is not None and not self._allow_partial:
            raise TruncatedVideoError(f"{self._name}: {shortfall}; `allow_partial=True` takes what is there")
        if report.frames_decoded == 0:
            raise VideoError(f"{self._name}: no frame in it could be decoded; check or convert the file")
        notes = [] if shortfall is None else [shortfall]
        if report.damaged_packets:
            parts = "1 part" if report.damaged_packets == 1 else f"{report.damaged_packets} parts"
            notes.append(f"damaged: {parts} of the video could not be decoded")
        report.incomplete = bool(notes)
        report.notes = (*notes, *self._clock_notes())

    def _shortfall(self, account: PacketAccount) -> str | None:
        kept_back = 0 if self.report.damaged_packets else account.kept_back()
        if kept_back:
            return f"incomplete: {counted(kept_back, 'frame')} at its end did not come out of the decoder"
        missing = account.shortfall(self._path)
        return None if missing is None else f"cut off: {missing}"

    def _clock_notes(self) -> list[str]:
        clock = self._packet_clock
        if clock is None or not clock.jumps:
            return []
        times = "once, at" if clock.jumps == 1 else f"{clock.jumps} times, first at"
        return [f"its clock jumps {times} {clock.first_jump_seconds:.2f} s: times continue without a gap"]


def _rank(stream: VideoStream) -> int:
    """Return how good a choice a picture is: the larger the better, the file's default before others.

    The weights are those of FFmpeg's command (`map_auto_video` in fftools/ffmpeg_mux_init.c).
    """
    context = stream.codec_context
    pixels = 0 if context is None else context.width * context.height
    return pixels + (5_000_000 if stream.disposition & Disposition.default else 0)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__

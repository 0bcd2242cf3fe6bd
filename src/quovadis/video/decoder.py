"""A video decoded frame by frame, with an account of what the file promised and what it held."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import av
from av.stream import Disposition

from quovadis.errors import TruncatedVideoError, VideoError, VideoLimitError
from quovadis.video.diagnosis import refused_for_size
from quovadis.video.frames import DecodedFrame
from quovadis.video.limits import VideoLimits
from quovadis.video.orientation import Orientation, read_orientation
from quovadis.video.source import OpenInstructions, local_path

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream
    from av.video.stream import VideoStream

_OPEN_SECONDS, _READ_SECONDS = 15.0, 30.0
_METADATA: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
"""Titles that are no UTF-8 are no reason to refuse a video; PyAV 19 replaces what it cannot read of its own accord."""
_FALLBACK_RATE = Fraction(25)
_GIF_TRAILER = b";"
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
    partial: bool = False
    """Whether the video is damaged or cut off."""
    notes: tuple[str, ...] = field(default=())
    """What was unusual, in plain sentences."""


class Decoder:
    """One video open for decoding; frames can be taken once."""

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
        """Length by the header, or None."""
        seconds = self._stream_seconds()
        if seconds is None and self._container.duration is not None:
            seconds = Fraction(self._container.duration, 1_000_000)
        return None if seconds is None or seconds <= 0 else float(seconds)

    @property
    def frames_per_second(self) -> float | None:
        """Average rate by the header, or None."""
        return self._frames_per_second

    def _stream_seconds(self) -> Fraction | None:
        stream = self._stream
        if stream.duration is not None and stream.time_base is not None and stream.duration > 0:
            return stream.duration * stream.time_base
        return _matroska_duration(stream.metadata.get("DURATION", ""))

    # --- opening ----------------------------------------------------------------------------------------------------

    def _open(self, instructions: OpenInstructions) -> InputContainer:
        # The pixel limit holds for probing too: FFmpeg decodes a first frame to learn a stream's format.
        options = {**instructions.options, "max_pixels": str(self._limits.max_pixels)}
        timeout = None if instructions.kind == "file" else (_OPEN_SECONDS, _READ_SECONDS)
        try:
            return av.open(
                instructions.address,
                "r",
                format=instructions.demuxer,
                options=options,
                timeout=timeout,
                **_METADATA,
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            raise VideoError(f"{self._name}: {self._why_not_open(error)}") from error

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
        stream = next((s for s in streams if s.disposition & Disposition.default), streams[0])
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
        self.report.frames_declared = self._stream.frames or None
        self.report.seconds_declared = None if self.live else self.duration_seconds
        declared = self.report.seconds_declared
        if declared is not None and declared > self._limits.max_seconds:
            raise self._over("max-seconds", f"{declared:.0f} seconds", f"{self._limits.max_seconds:.0f}")

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
        clock = _Clock(Fraction(1) / (self._stream.average_rate or _FALLBACK_RATE))
        account = _PacketAccount(self._stream.index)
        for packet in self._packets(account):
            for picture in self._decode(packet):
                self._check_pixels(picture.width, picture.height)
                seconds, duration = clock.stamp(picture)
                frame = DecodedFrame(picture, self._aspect_ratio(), self._orientation(picture), seconds, duration)
                self.report.frames_decoded += 1
                self.report.seconds_found = float(frame.seconds + frame.duration_seconds)
                self._check_length()
                yield frame
        self._settle(account)

    def _aspect_ratio(self) -> Fraction:
        ratio = self._stream.sample_aspect_ratio
        return ratio if ratio and ratio > 0 else Fraction(1)

    def _orientation(self, picture: av.VideoFrame) -> Orientation:
        # Read again only when the angle changes, which PyAV tells cheaply: a track is mirrored as a whole or not.
        if self._angle_and_orientation is None or self._angle_and_orientation[0] != picture.rotation:
            self._angle_and_orientation = picture.rotation, read_orientation(picture)
        return self._angle_and_orientation[1]

    def _packets(self, account: _PacketAccount) -> Iterator[Packet[VideoStream]]:
        packets = self._container.demux()
        while True:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError) as error:
                if self._kind != "file" and not self.report.frames_decoded:
                    raise VideoError(f"{self._name}: cannot be read: {_reason(error)}") from error
                self._damage(f"cannot be read on: {_reason(error)}")
                return
            if packet is None:
                return
            account.add(packet)
            if packet.stream_index == self._stream.index:
                yield cast("Packet[VideoStream]", packet)

    def _decode(self, packet: Packet[VideoStream]) -> list[av.VideoFrame]:
        self._recent.append(packet)
        try:
            return packet.decode()
        except av.EOFError:
            return []
        except (av.FFmpegError, OSError, ValueError) as error:
            if refused_for_size(self._stream, self._recent, self._limits.max_pixels):
                raise self._over("max-pixels", "frames", f"{self._limits.max_pixels:,} pixels") from error
            self._damage(f"damaged: {_reason(error)}")
            return []

    def _damage(self, what: str) -> None:
        if not self._allow_partial:
            seconds = self.report.seconds_found
            raise VideoError(
                f"{self._name}: {what}, after {self.report.frames_decoded} frames ({seconds:.2f} s); "
                "--allow-partial takes what can be read"
            )
        self.report.damaged_packets += 1

    def _check_pixels(self, width: int, height: int) -> None:
        if width * height > self._limits.max_pixels:
            raise self._over("max-pixels", f"frames of {width}x{height}", f"{self._limits.max_pixels:,} pixels")

    def _check_length(self) -> None:
        if self.live:
            return
        if self.report.frames_decoded > self._limits.max_frames:
            raise self._over("max-frames", "its frames", f"{self._limits.max_frames:,}")
        if self.report.seconds_found > self._limits.max_seconds:
            raise self._over(
                "max-seconds", f"{self.report.seconds_found:.0f} seconds", f"{self._limits.max_seconds:.0f}"
            )

    def _over(self, option: str, what: str, limit: str) -> VideoLimitError:
        return VideoLimitError(f"{self._name}: {what} are more than the limit of {limit}; --{option} raises it")

    # --- the account at the end -------------------------------------------------------------------------------------

    def _settle(self, account: _PacketAccount) -> None:
        report = self.report
        shortfall = None if self.live else self._shortfall(account)
        if shortfall is not None and not self._allow_partial:
            raise TruncatedVideoError(f"{self._name}: cut off: {shortfall}; --allow-partial takes what is there")
        if report.frames_decoded == 0:
            raise VideoError(f"{self._name}: no frame in it could be decoded; check or convert the file")
        notes = [] if shortfall is None else [f"cut off: {shortfall}"]
        if report.damaged_packets:
            parts = "1 part" if report.damaged_packets == 1 else f"{report.damaged_packets} parts"
            notes.append(f"damaged: {parts} of it could not be decoded")
        report.partial = bool(notes)
        report.notes = tuple(notes)

    def _shortfall(self, account: _PacketAccount) -> str | None:
        """Say what is missing from the file, or None.

        A header may declare more frames than are decoded for good reasons: edit lists hide some, encoders drop some. So
        packets are counted, not frames, and the time up to which they reach decides.
        """
        frame_seconds = Fraction(1) / (self._stream.average_rate or _FALLBACK_RATE)
        declared = self.report.frames_declared
        stream_seconds = self._stream_seconds()
        found = account.video_seconds
        if declared and account.video_packets < declared:
            # AVI's demuxer shortens the length of a file that it finds cut, but not the number of frames.
            at_least = max(stream_seconds or Fraction(0), declared * frame_seconds)
            if found is None or found < at_least - frame_seconds / 2:
                return f"{account.video_packets} of {declared} declared frames found"
        if not declared:
            promised = stream_seconds
            if promised is None and self._container.duration:
                # The container's length is that of its longest stream.
                promised, found = Fraction(self._container.duration, 1_000_000), account.seconds
            if promised is not None and found is not None and self._kind == "file":
                tolerance = max(frame_seconds * 5 / 2, promised / 1000)
                if found < promised - tolerance:
                    return f"{float(found):.2f} of {float(promised):.2f} declared seconds found"
        if account.last_is_corrupt:
            return f"{account.video_packets} frames found, the last of them incomplete"
        if self._kind == "file" and self._container.format.name == "gif" and not _has_gif_trailer(self._name):
            return f"{account.video_packets} frames found, and no end mark"
        return None


class _Clock:
    """Gives frames times that never go back, from timestamps that may be missing or wrong."""

    def __init__(self, frame_seconds: Fraction) -> None:
        self._frame_seconds = frame_seconds
        self._first: Fraction | None = None
        self._next = Fraction(0)
        self._last = Fraction(0)

    def stamp(self, picture: av.VideoFrame) -> tuple[Fraction, Fraction]:
        """Return the frame's time since the first one, and how long it is shown."""
        base = picture.time_base
        duration = picture.duration * base if picture.duration and base else self._frame_seconds
        if picture.pts is None or base is None:
            seconds = self._next
        else:
            stamp = picture.pts * base
            if self._first is None:
                self._first = stamp - self._next
            seconds = stamp - self._first
        seconds = max(seconds, self._last)
        self._last, self._next = seconds, seconds + duration
        return seconds, duration


class _PacketAccount:
    """Counts what a container holds."""

    def __init__(self, video_index: int) -> None:
        self._video_index = video_index
        self._starts: dict[int, Fraction] = {}
        self._ends: dict[int, Fraction] = {}
        self.video_packets = 0
        self.last_is_corrupt = False

    def add(self, packet: Packet[Stream]) -> None:
        """Count one packet; the empty ones that flush decoders do not count."""
        if packet.size == 0:
            return
        index = packet.stream_index
        if index == self._video_index:
            self.video_packets += 1
            self.last_is_corrupt = packet.is_corrupt
        stamp = packet.dts if packet.pts is None else packet.pts
        if stamp is not None and packet.time_base:
            start = stamp * packet.time_base
            end = start + (packet.duration or 0) * packet.time_base
            self._starts[index] = min(self._starts.get(index, start), start)
            self._ends[index] = max(self._ends.get(index, end), end)

    @property
    def video_seconds(self) -> Fraction | None:
        """From the first to the end of the last packet of the video."""
        if self._video_index not in self._ends:
            return None
        return self._ends[self._video_index] - self._starts[self._video_index]

    @property
    def seconds(self) -> Fraction | None:
        """From the first to the end of the last packet of any stream."""
        return max(self._ends.values()) - min(self._starts.values()) if self._ends else None


def _matroska_duration(text: str) -> Fraction | None:
    """Read the tag that Matroska's writers keep for each track: `00:00:01.700000000`."""
    try:
        hours, minutes, seconds = text.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)
    except ValueError:
        return None


def _has_gif_trailer(name: str) -> bool:
    with local_path(name).open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(size - 256, 0))
        return file.read().rstrip(b"\0").endswith(_GIF_TRAILER)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__

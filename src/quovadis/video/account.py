"""What a file promises and what it holds: whether a video is whole."""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from typing import TYPE_CHECKING

from quovadis.escape import counted
from quovadis.video.endings import asf_declared_bytes, has_gif_trailer, holds_gif_picture

if TYPE_CHECKING:
    from pathlib import Path

    import av
    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream
    from av.video.stream import VideoStream

_ESTIMATED = frozenset(
    [
        *("mpegts", "mpegtsraw", "mpeg", "mpegvideo", "m4v", "h261", "h263", "h264", "hevc", "vvc", "evc"),
        *("av1", "obu", "mjpeg", "mjpeg_2000", "mpjpeg", "vc1"),
        *("cavsvideo", "dirac", "dnxhd", "yuv4mpegpipe", "ipmovie"),
        *("ogg", "gif", "apng", "dv", "pva", "ty", "nsv"),
    ]
)
"""Formats whose header declares no length: what FFmpeg reports is its own estimate, from a look at the file's end."""
_PLACEHOLDER_FRAMES = 1 << 30
"""A count that a recorder wrote when it began and never corrected (FFmpeg's AVI: 2^30): more than a year."""
_MAX_KEPT_BACK = 64
"""Packets whose frames a decoder may keep back: 16 threads, and 16 frames that are waited for to be put in order."""
_LAST_SOUND_SECONDS = Fraction(1, 2)
"""How much the last packets of sound may hold without saying so: those of WMA are of up to 0.37 seconds."""
MIN_FRAME_BYTES = 20
"""A smaller MPEG-4 packet says that the frame before it stays, and makes no frame of its own."""


def declared_frames(stream: VideoStream) -> int | None:
    """Return how many frames the header declares, or None where it does not say, or says what a placeholder does."""
    return stream.frames if 0 < stream.frames < _PLACEHOLDER_FRAMES else None


def declared_seconds(container: InputContainer, stream: VideoStream) -> Fraction | None:
    """Return the length that the header declares, or None where it does not say, or is only estimated.

    Matroska and WebM declare not how long a video lasts but when it ends (`Duration` in their specification and the tag
    `DURATION` of a track), which differs where the picture begins later than the sound.
    """
    if container.format.name in _ESTIMATED or _is_open_ended(container, stream):
        return None
    own = _stream_seconds(container, stream)
    if own is not None:
        return own
    return Fraction(container.duration, 1_000_000) if container.duration else None


def _is_open_ended(container: InputContainer, stream: VideoStream) -> bool:
    # AVI's demuxer makes lengths of the frames that are declared, or guesses where none are.
    return container.format.name == "avi" and declared_frames(stream) is None


def _stream_seconds(container: InputContainer, stream: VideoStream) -> Fraction | None:
    """Return the picture's own length, or end in Matroska; None where only the whole file's is known."""
    name = container.format.name
    if "matroska" in name:
        return _tagged_seconds(stream.metadata.get("DURATION", ""))
    # Of other formats, as ASF and NUT, each stream is said to be as long as the longest.
    has_own = name.startswith("mov") or name in ("avi", "mxf")
    if not has_own or stream.duration is None or stream.time_base is None or stream.duration <= 0:
        return None
    return stream.duration * stream.time_base


def _tagged_seconds(text: str) -> Fraction | None:
    """Read the tag that Matroska's writers keep for each track: `00:00:01.700000000`."""
    try:
        hours, minutes, seconds = text.split(":")
        found = int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)
    except ValueError:
        return None
    return found if found > 0 else None


class PacketAccount:
    """Counts what a container holds, and what its decoder makes of it."""

    def __init__(self, container: InputContainer, stream: VideoStream, frame_seconds: Fraction) -> None:
        """Begin to count.

        Args:
            container: open, and not yet read.
            stream: the picture that is decoded.
            frame_seconds: how long a frame lasts where the file does not say.
        """
        self._container = container
        self._stream = stream
        self._index = stream.index
        self._frame_seconds = frame_seconds
        self._starts: dict[int, Fraction] = {}
        self._ends: dict[int, Fraction] = {}
        self._lasts: dict[int, Fraction] = {}
        self.video_packets = 0
        self.last_is_corrupt = False
        # Of those that were sent to the decoder and are to be shown.
        self._sent = 0
        self._frames = 0
        self._recent_pts: deque[int | None] = deque(maxlen=_MAX_KEPT_BACK)
        self._last_frame_pts: int | None = None

    def add(self, packet: Packet[Stream]) -> None:
        """Count one packet of any stream, with the file's own timestamps."""
        index = packet.stream.index
        if index == self._index:
            self.video_packets += 1
            self.last_is_corrupt = packet.is_corrupt
        stamp = packet.dts if packet.pts is None else packet.pts
        if stamp is None or not packet.time_base:
            return
        start = stamp * packet.time_base
        # Where packets do not say how long they last, as the step from the one before.
        length = (packet.duration or 0) * packet.time_base or max(start - self._lasts.get(index, start), Fraction(0))
        self._lasts[index] = start
        self._starts[index] = min(self._starts.get(index, start), start)
        self._ends[index] = max(self._ends.get(index, start), start + length)

    def sent(self, packet: Packet[VideoStream]) -> None:
        """Count a packet that the decoder took; those that an edit list hides are not to be shown."""
        if packet.is_discard or self._is_empty(packet) or not (self._sent or packet.is_keyframe):
            return
        self._sent += 1
        self._recent_pts.append(packet.pts)

    def _is_empty(self, packet: Packet[VideoStream]) -> bool:
        codec = self._stream.codec_context.name
        if codec == "gif":
            return not holds_gif_picture(bytes(packet))
        return codec == "mpeg4" and packet.size < MIN_FRAME_BYTES

    def came_out(self, frame: av.VideoFrame) -> None:
        """Count a frame that the decoder gave."""
        self._frames += 1
        if frame.pts is not None and (self._last_frame_pts is None or frame.pts > self._last_frame_pts):
            self._last_frame_pts = frame.pts

    def kept_back(self) -> int:
        """Return how many frames the decoder still owes when it says that it has given all.

        Not every packet makes a frame: of two fields one does, and reference pictures may be hidden. So those count
        that were to be shown after the last frame, and where packets do not say when, all that are missing.
        """
        if self._last_frame_pts is None or None in self._recent_pts:
            owed = self._sent - self._frames
            if abs(self._sent - 2 * self._frames) <= 1:
                return 0
        else:
            last = self._last_frame_pts
            owed = sum(pts is not None and pts > last for pts in self._recent_pts)
        # One alone may be such a field or picture, if there are others.
        is_usual = owed == 1 and self._sent - self._frames > 1
        return 0 if is_usual else max(owed, 0)

    def shortfall(self, path: Path | None) -> str | None:
        """Say what is missing from the file, or None.

        A header may declare more frames than are decoded for good reasons: edit lists hide some, encoders drop some. So
        packets are counted, not frames, and the time up to which they reach decides.

        Args:
            path: the file; None for what comes over a network, whose declared length is not relied on.
        """
        return self._missing_packets() or self._missing_seconds(path) or self._unfinished(path)

    def _missing_packets(self) -> str | None:
        name = self._container.format.name
        declared = declared_frames(self._stream)
        if name.startswith("mov"):
            # The demuxer's list of packets, after edit lists and with the fragments so far.
            listed = len(self._stream.index_entries)
            if self.video_packets < listed:
                return f"{self.video_packets} of {listed} declared frames found"
            return None
        if declared is None or self.video_packets >= declared:
            return None
        if name == "ivf" and self._is_as_long_as(declared * (self._stream.time_base or self._frame_seconds)):
            return None
        # AVI's demuxer shortens the length of a file that it finds cut, but not the number of frames.
        own = _stream_seconds(self._container, self._stream) or Fraction(0)
        at_least = max(own, declared * self._frame_seconds)
        found = self._seconds([self._index])
        if found is None or found < at_least - self._frame_seconds / 2:
            return f"{self.video_packets} of {declared} declared frames found"
        return None

    def _is_as_long_as(self, seconds: Fraction) -> bool:
        # FFmpeg writes the length in ticks where libvpx's and other programs write IVF's number of frames.
        found = self._seconds([self._index])
        return found is not None and abs(found - seconds) <= self._frame_seconds * 3 / 2

    def _missing_seconds(self, path: Path | None) -> str | None:
        if path is None or declared_frames(self._stream) is not None:
            return None
        promised = declared_seconds(self._container, self._stream)
        is_own = _stream_seconds(self._container, self._stream) is not None
        found = self._seconds([self._index] if is_own else list(self._ends))
        if promised is None or found is None:
            return None
        tolerance = max(self._frame_seconds * 5 / 2, promised / 1000)
        if not is_own and len(self._ends) > 1:
            tolerance = max(tolerance, _LAST_SOUND_SECONDS)
        if found < promised - tolerance:
            return f"{float(found):.2f} of {float(promised):.2f} declared seconds found"
        return None

    def _seconds(self, indices: list[int]) -> Fraction | None:
        """Return how far the packets of some streams reach: their length, or their end where that is declared."""
        if not self._ends or any(index not in self._ends for index in indices):
            return None
        end = max(self._ends[index] for index in indices)
        length = end - min(self._starts[index] for index in indices)
        return length if self._container.format.name.startswith("mov") else max(length, end)

    def _unfinished(self, path: Path | None) -> str | None:
        if self.last_is_corrupt:
            return f"{counted(self.video_packets, 'frame')} found, the last of them incomplete"
        if path is None:
            return None
        name = self._container.format.name
        if name == "gif" and not has_gif_trailer(path):
            return f"{counted(self.video_packets, 'frame')} found, and no end mark"
        if name in ("asf", "asf_o"):
            declared, size = asf_declared_bytes(path), path.stat().st_size
            if declared is not None and size < declared:
                return f"{size:,} of {declared:,} declared bytes found"
        return None

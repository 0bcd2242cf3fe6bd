"""A video file, which may be decoded from the middle where its packets tell what its frames are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av
from av.video.frame import PictureType

from quovadis.video.account import MIN_FRAME_BYTES, PacketAccount
from quovadis.video.clock import FrameClock
from quovadis.video.decoder import Decoder
from quovadis.video.fingerprints import path_state
from quovadis.video.frames import DecodedFrame
from quovadis.video.timeline import KeyFrame, KnownTimelines, SeekError, Timeline, timeline_of_packets

if TYPE_CHECKING:
    pass

_CODECS = frozenset({"h264", "hevc", "vp9", "av1", "libdav1d", "mpeg4", "mjpeg", "prores", "dnxhd", "ffv1"})
"""Those whose packets make a frame each. Not VP8, which has packets of their own for frames that are never shown."""
_known = KnownTimelines()


class FileDecoder(Decoder):
    """A file open for decoding, from the beginning or from the middle."""

    def timeline(self) -> Timeline | None:
        """Return when each frame is shown, by the packets of the whole file; None: only decoding tells.

        Formats without an index of their own, and those that keep no presentation times (AVI), do not tell. A damaged
        or cut-off file does not either, so that decoding it says what is wrong.
        """
        name = self._container.format.name
        if not name.startswith(("mov", "matroska")) or self._stream.codec_context.name not in _CODECS:
            return None
        path = cast(Path, self._path)
        return _known.get(f"{path.absolute()} {self._stream.index} {path_state(path)}", self._read_timeline)

    def _read_timeline(self) -> Timeline | None:
        account = PacketAccount(self._container, self._stream, self._frame_seconds)
        by_decoding_time = self._container.format.name.startswith("mov")
        frames, keys = [], []
        least = MIN_FRAME_BYTES if self._stream.codec_context.name == "mpeg4" else 1
        try:
            for packet in self._container.demux():
                if not packet.size and packet.pts is None and packet.dts is None:
                    continue
                account.add(packet)
                if packet.stream.index != self._stream.index:
                    continue
                if packet.pts is None or packet.is_corrupt or packet.size < least:
                    return None
                if packet.is_keyframe:
                    # The index of MP4 is by decoding time, that of Matroska by presentation time.
                    is_known = by_decoding_time and packet.dts is not None
                    keys.append((packet.pts, packet.dts if is_known and packet.dts is not None else packet.pts))
                if not packet.is_discard:
                    frames.append((packet.pts, packet.duration or 0))
                if len(frames) > self._limits.max_frames:
                    return None
        except (av.FFmpegError, OSError):
            return None
        # Of a file in fragments, durations may be known only once all of it was read, so that other ones are told then.
        unknown = sum(not duration for _, duration in frames)
        if account.shortfall(self._path) is not None or (by_decoding_time and unknown > 1):
            return None
        return timeline_of_packets(frames, keys, self._time_base, self._frame_seconds, self._zero_seconds)

    def frames_at(self, timeline: Timeline, ordinals: Sequence[int]) -> Iterator[DecodedFrame]:
        """Yield some of the frames, each decoded from the last frame before it that decoding may begin at.

        Every frame that comes out of the decoder is compared with the packets' times, so that a frame which they hide
        or which the decoder leaves out does not go unnoticed.

        Args:
            timeline: of this file.
            ordinals: which frames, ascending, each once.

        Raises:
            SeekError: they may not be the same frames as those that decoding from the beginning gives.
            VideoLimitError: a frame is larger than the limits admit.
        """
        self._clock = FrameClock(self._time_base, self._frame_seconds, int(timeline.pts[0]) * self._time_base)
        due: int | None = None
        decoded: Iterator[av.VideoFrame] = iter(())
        for ordinal in ordinals:
            key = timeline.key_before(ordinal)
            if due is None or key.ordinal > due:
                decoded, due = self._decoded_from(key), key.ordinal
                if due:
                    decoded = self._from_intra(decoded)
            while due < ordinal:
                self._next(decoded, timeline, due)
                due += 1
            frame = self._next(decoded, timeline, due)
            due += 1
            self._check_pixels(frame.width, frame.height)
            seconds, duration = self._clock.stamp(frame)
            self.report.frames_decoded += 1
            yield DecodedFrame(frame, self._aspect_ratio(), self._orientation(frame), seconds, duration)

    def _from_intra(self, decoded: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
        first = next(decoded, None)
        # Of a picture that is renewed strip by strip, what was before shines through after the seek.
        if first is None or first.pict_type != PictureType.I:
            raise SeekError(f"{self._name}: its key frames are not whole pictures")
        return chain([first], decoded)

    def _next(self, decoded: Iterator[av.VideoFrame], timeline: Timeline, due: int) -> av.VideoFrame:
        frame = next(decoded, None)
        # Two fields of one frame may come in two packets.
        if frame is None or frame.pts != timeline.pts[due] or frame.is_corrupt or frame.interlaced_frame:
            raise SeekError(f"{self._name}: its packets do not tell which frames it has")
        return frame

    def _decoded_from(self, key: KeyFrame) -> Iterator[av.VideoFrame]:
        context = self._stream.codec_context
        try:
            self._container.seek(key.seek_ticks, stream=self._stream, backward=True, any_frame=False)
            for packet in self._container.demux(self._stream):
                if packet.size:
                    yield from self._shown(context.decode(packet), key)
            while frames := context.decode(None):
                yield from self._shown(frames, key)
        except av.EOFError:
            return
        except (av.FFmpegError, OSError, ValueError) as error:
            raise SeekError(f"{self._name}: cannot be decoded from its middle") from error

    def _shown(self, frames: list[av.VideoFrame], key: KeyFrame) -> Iterator[av.VideoFrame]:
        for frame in frames:
            frame.time_base = self._time_base
            # Those before were decoded without what they refer to, or belong to an earlier key frame.
            if frame.pts is None or frame.pts >= key.pts:
                yield frame

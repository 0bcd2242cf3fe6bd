"""Animated pictures as videos: PNG, WebP, sequences of AVIF, and TIFFs of several pages."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

import av
import numpy as np

from quovadis.errors import TruncatedVideoError, VideoError
from quovadis.escape import counted
from quovadis.limits import MAX_IMAGE_FILE_BYTES, VideoLimits
from quovadis.video.chunks import outline_png, outline_webp
from quovadis.video.decoder import Decoder, VideoReport
from quovadis.video.frames import IMAGES_PER_SECOND, DecodedFrame
from quovadis.video.orientation import UPRIGHT
from quovadis.video.signatures import AnimationKind
from quovadis.video.source import file_instructions
from quovadis.video.tiff import BIG_TIFF_MAGICS, read_pages

if TYPE_CHECKING:
    from av.video.stream import VideoStream
    from PIL.ImageFile import ImageFile


class FrameSource(Protocol):
    """What gives decoded frames: a video, an animation, or a folder of images."""

    report: VideoReport
    frame_count: int | None
    """How many frames there are, where that is known without decoding."""

    @property
    def live(self) -> bool:
        """Whether the source has no end of its own."""
        ...

    @property
    def duration_seconds(self) -> float | None:
        """Length by the header, or None."""
        ...

    @property
    def frames_per_second(self) -> float | None:
        """Average rate by the header, or None."""
        ...

    @property
    def first_seconds(self) -> Fraction:
        """When the first frame is shown, counted from where FFmpeg begins to count; known once it was taken."""
        ...

    def frames(self) -> Iterator[DecodedFrame]:
        """Yield every frame, once."""
        ...

    def close(self) -> None:
        """Close what is open; safe to call twice."""
        ...


class FiniteFrames(FrameSource):
    """Frames of a source that has an end and of which no file stays open."""

    live = False
    frame_count: int | None = None
    first_seconds = Fraction(0)

    def close(self) -> None:
        """Do nothing."""


def open_animation(
    kind: AnimationKind, name: str, path: Path, limits: VideoLimits, *, allow_partial: bool, threads: int
) -> FrameSource:
    """Open an animation.

    Args:
        kind: as `signatures.animation_kind` tells.
        name: what errors call the animation.
        path: of the file.
        limits: the most to accept.
        allow_partial: accept what can be read of a damaged or cut-off file.
        threads: of FFmpeg's decoder; 0: as it sees fit.

    Raises:
        VideoError: it cannot be opened.
        VideoLimitError: it declares more than the limits admit.
    """
    try:
        if kind == "apng":
            return PngAnimation(name, path, limits, allow_partial=allow_partial, threads=threads)
        if kind == "sequence":
            return SequenceDecoder(name, file_instructions(path), limits, allow_partial=allow_partial, threads=threads)
        if kind == "webp":
            return WebpAnimation(name, path, limits, allow_partial=allow_partial)
        return TiffPages(name, path, limits, allow_partial=allow_partial)
    except OSError as error:
        raise VideoError(f"{name}: cannot be read: {error.strerror or error}") from error


class SequenceDecoder(Decoder):
    """A sequence of AVIF or HEIF pictures, which holds a track and, as a rule, a picture that stands for it."""

    def _find_stream(self) -> VideoStream:
        # FFmpeg gives the picture first, as a stream without a length.
        chosen = super()._find_stream()
        tracks = [stream for stream in self._container.streams.video if stream.duration is not None]
        if chosen in tracks:
            return chosen
        if tracks:
            return tracks[0]
        if not self._allow_partial:
            raise TruncatedVideoError(
                f"{self._name}: cut off: its frames are missing, only a preview is there; "
                "`allow_partial=True` takes what is there"
            )
        return chosen


class PngAnimation:
    """An animated PNG: FFmpeg reads it, and its chunks show whether it is complete, which FFmpeg does not check."""

    live = False
    frame_count: int | None = None

    def __init__(self, name: str, path: Path, limits: VideoLimits, *, allow_partial: bool, threads: int) -> None:
        """Open the animation.

        Raises:
            VideoError: it cannot be opened.
            VideoLimitError: more or larger frames than the limits admit.
        """
        self._name = name
        self._allow_partial = allow_partial
        with path.open("rb") as file:
            self._outline = outline_png(file, name, limits)
        self._decoder = Decoder(name, file_instructions(path), limits, allow_partial=allow_partial, threads=threads)
        self.report = self._decoder.report

    @property
    def first_seconds(self) -> Fraction:
        """When the first frame is shown, counted from where FFmpeg begins to count."""
        return self._decoder.first_seconds

    @property
    def duration_seconds(self) -> float | None:
        """The sum of the frames' own durations, in seconds; None if it is zero."""
        return float(self._outline.seconds) or None

    @property
    def frames_per_second(self) -> float | None:
        """The average frame rate; None if the frames have no duration."""
        return _rate(len(self._outline.durations), self._outline.seconds)

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._decoder.close()

    def frames(self) -> Iterator[DecodedFrame]:
        """Yield every frame.

        Raises:
            VideoError: damage, unless partial videos are allowed.
            TruncatedVideoError: less was there than declared, unless partial videos are allowed.
            VideoLimitError: more was there than the limits admit.
        """
        yield from self._decoder.frames()
        self.report.frames_declared = self._outline.declared
        self.report.seconds_declared = self.duration_seconds
        _settle(self._name, self.report, self._outline.shortfall, self._allow_partial)


class _PillowFrames(FiniteFrames):
    """Frames that Pillow reads one after the other."""

    _name: str
    _limits: VideoLimits
    _allow_partial: bool
    _durations: list[Fraction]
    """Seconds of each frame."""
    _shortfall: str | None

    @property
    def duration_seconds(self) -> float | None:
        """The sum of the frames' own durations, in seconds; None if it is zero."""
        return float(sum(self._durations, Fraction(0))) or None

    @property
    def frames_per_second(self) -> float | None:
        """The average frame rate; None if the frames have no duration."""
        return _rate(len(self._durations), sum(self._durations, Fraction(0)))

    def frames(self) -> Iterator[DecodedFrame]:
        """Yield every frame.

        Raises:
            VideoError: damage, unless partial videos are allowed; or no frame at all.
            TruncatedVideoError: less was there than declared, unless partial videos are allowed.
            VideoLimitError: more was there than the limits admit.
        """
        report = self.report
        seconds = Fraction(0)
        frames = self._read_frames()
        for number, duration in enumerate(self._durations):
            try:
                frame = next(frames)
            except VideoError:
                raise
            except Exception as error:
                # Pillow's readers raise what Python raises where a damaged file leads them.
                if not self._allow_partial:
                    raise VideoError(
                        f"{self._name}: damaged: {error or type(error).__name__}, after {counted(number, 'frame')} "
                        f"({float(seconds):.2f} s); `allow_partial=True` takes what can be read"
                    ) from error
                report.damaged_packets += 1
                break
            report.frames_decoded += 1
            report.seconds_found = float(seconds + duration)
            yield DecodedFrame(frame, Fraction(1), UPRIGHT, seconds, duration)
            seconds += duration
        _settle(self._name, report, self._shortfall, self._allow_partial)

    def _read_frames(self) -> Iterator[av.VideoFrame]:
        raise NotImplementedError

    def _check_seconds(self) -> None:
        seconds = self.duration_seconds or 0.0
        if seconds > self._limits.max_seconds:
            raise self._limits.exceeded(self._name, f"it lasts {seconds:,.2f} seconds, longer", "max_seconds")


class WebpAnimation(_PillowFrames):
    """An animated WebP, each frame as composed on the canvas."""

    def __init__(self, name: str, path: Path, limits: VideoLimits, *, allow_partial: bool) -> None:
        """Read the file and look at its chunks.

        Raises:
            VideoError: the file is too large to be an image.
            VideoLimitError: more or larger frames, or more seconds, than the limits admit.
        """
        self._name, self._limits, self._allow_partial = name, limits, allow_partial
        if path.stat().st_size > MAX_IMAGE_FILE_BYTES:
            raise VideoError(f"{name}: too large a file to be an image")
        content = path.read_bytes()
        outline = outline_webp(content, name, limits)
        if outline.shortfall is not None:
            # libwebp reads only files that are whole: this one ends after its last whole picture.
            content = content[: outline.whole_bytes]
            content = content[:4] + struct.pack("<I", len(content) - 8) + content[8:]
        self._content = content
        self._durations, self._shortfall = outline.durations, outline.shortfall
        self._check_seconds()
        declared = None if outline.shortfall else len(outline.durations)
        self.report = VideoReport(frames_declared=declared, seconds_declared=self.duration_seconds)

    def _read_frames(self) -> Iterator[av.VideoFrame]:
        from PIL import WebPImagePlugin

        # Not by `Image.open`, whose own limit of pixels is the whole process's.
        with WebPImagePlugin.WebPImageFile(io.BytesIO(self._content)) as image:
            for number in range(len(self._durations)):
                image.seek(number)
                yield _frame(image, self._name)


class TiffPages(_PillowFrames):
    """A TIFF of several pages, each of them a frame."""

    def __init__(self, name: str, path: Path, limits: VideoLimits, *, allow_partial: bool) -> None:
        """List the pages.

        Raises:
            VideoError: the pages lead back to themselves.
            VideoLimitError: more or larger pages than the limits admit.
        """
        self._name, self._limits, self._allow_partial = name, limits, allow_partial
        self._path = path
        self._pages: list[int] = []
        self._last_link_at = 0
        self._shortfall = None
        try:
            with path.open("rb") as file:
                for page in read_pages(file):
                    if page.is_auxiliary:
                        continue
                    if not page.is_whole:
                        found = len(self._pages)
                        self._shortfall = f"{found} whole pages found, and the next is incomplete"
                        break
                    self._check(page.width, page.height)
                    self._pages.append(page.number)
                    self._last_link_at = page.link_at
                    if len(self._pages) > limits.max_frames:
                        raise limits.exceeded(name, "it has more pages", "max_frames")
        except (ValueError, struct.error) as error:
            raise VideoError(f"{name}: damaged: {error}; check the file") from error
        self._durations = [1 / IMAGES_PER_SECOND] * len(self._pages)
        self._check_seconds()
        declared = None if self._shortfall else len(self._pages)
        self.report = VideoReport(frames_declared=declared, seconds_declared=self.duration_seconds)

    def _check(self, width: int, height: int) -> None:
        if width * height > self._limits.max_pixels:
            raise self._limits.exceeded(self._name, f"its pages of {width}x{height} are larger", "max_pixels")

    def _file(self) -> BinaryIO:
        if self._shortfall is None:
            return self._path.open("rb")
        # libtiff follows all pages and writes to the terminal about one that is missing: here the whole ones are all.
        content = io.BytesIO(self._path.read_bytes())
        width = 8 if content.read(4) in BIG_TIFF_MAGICS else 4
        content.seek(self._last_link_at)
        content.write(bytes(width))
        content.seek(0)
        return content

    def _read_frames(self) -> Iterator[av.VideoFrame]:
        from PIL import TiffImagePlugin

        with self._file() as file, TiffImagePlugin.TiffImageFile(file) as image:
            for index in self._pages:
                image.seek(index)
                self._check(*image.size)
                yield _frame(image, self._name)


def _frame(image: ImageFile, name: str) -> av.VideoFrame:
    """Return what Pillow has read, alpha dropped."""
    if image.mode.startswith("I;16"):
        # As FFmpeg has single pages of this kind: the upper 8 bits count.
        return av.VideoFrame.from_ndarray(np.asarray(image, dtype=np.uint16), format="gray16le")
    if image.mode in ("I", "F"):
        raise VideoError(f"{name}: its pages have 32-bit samples of unknown range; convert them to 8 or 16 bits")
    return av.VideoFrame.from_ndarray(np.asarray(image.convert("RGB")), format="rgb24")


def _rate(frames: int, seconds: Fraction) -> float | None:
    return float(frames / seconds) if seconds else None


def _settle(name: str, report: VideoReport, shortfall: str | None, allow_partial: bool) -> None:
    """Refuse what is cut off, or record it.

    Raises:
        VideoError: there is no frame.
        TruncatedVideoError: something is missing, unless partial videos are allowed.
    """
    if shortfall is not None and not allow_partial:
        raise TruncatedVideoError(f"{name}: cut off: {shortfall}; `allow_partial=True` takes what is there")
    if report.frames_decoded == 0:
        raise VideoError(f"{name}: no frame in it could be decoded; check or convert the file")
    notes = list(report.notes)
    if shortfall is not None and not any(note.startswith("cut off") for note in notes):
        notes.append(f"cut off: {shortfall}")
    if report.damaged_packets and not report.incomplete:
        notes.append("damaged: not all of its frames could be decoded")
    report.incomplete = report.incomplete or shortfall is not None or report.damaged_packets > 0
    report.notes = tuple(notes)

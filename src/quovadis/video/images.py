"""A folder of images as a video, one frame an image, in natural order of their names."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from quovadis.errors import VideoError, VideoLimitError
from quovadis.limits import MAX_IMAGE_FILE_BYTES, VideoLimits
from quovadis.video.animations import FiniteFrames, WebpAnimation
from quovadis.video.decoder import VideoReport
from quovadis.video.diagnosis import refused_for_size
from quovadis.video.frames import IMAGES_PER_SECOND, DecodedFrame
from quovadis.video.orientation import read_orientation
from quovadis.video.signatures import animation_kind
from quovadis.video.timeline import SeekError, Timeline

IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pnm", ".jp2", ".avif", ".jxl"}
)

_FORMATS = (
    "png_pipe,apng,jpeg_pipe,jpegls_pipe,bmp_pipe,webp_pipe,webp,tiff_pipe,ppm_pipe,pgm_pipe,pam_pipe,j2k_pipe,jpegxl_pipe,"
    "avif,mov,qoi_pipe"
)


def natural_key(path: Path) -> tuple[object, ...]:
    """Return a key that sorts `frame2` before `frame10`."""
    parts = re.split(r"(\d+)", str(path))
    return tuple((1, int(part), part) if part.isdecimal() else (0, part.casefold(), part) for part in parts)


def is_image_name(name: str) -> bool:
    """Tell whether a file is an image by its name; hidden ones do not count."""
    return not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES


def images_in(folder: Path) -> list[Path]:
    """Return the images that lie directly in `folder`, in natural order; hidden files do not count.

    A link that leads nowhere is among them: a frame that is missing must not go unnoticed.
    """
    return sorted(
        (path for path in folder.iterdir() if is_image_name(path.name) and not path.is_dir()), key=natural_key
    )


class ImageSequence(FiniteFrames):
    """Images that are read one by one; offers what `decoder.Decoder` does."""

    def __init__(
        self,
        name: str,
        paths: list[Path],
        limits: VideoLimits,
        *,
        allow_partial: bool,
        notes: tuple[str, ...] = (),
        is_counted: bool = False,
    ) -> None:
        """Take the images to read.

        Args:
            name: what errors call the sequence.
            paths: images, in order.
            limits: the most to accept.
            allow_partial: pass over images that cannot be read.
            notes: what is unusual about the folder.
            is_counted: whether the images count without being read, unless some may be passed over.

        Raises:
            VideoLimitError: more images than the limits admit.
        """
        self._paths = paths
        self._name = name
        self._limits = limits
        self._allow_partial = allow_partial
        self.frame_count = len(paths) if is_counted and not allow_partial else None
        self.report = VideoReport(frames_declared=len(paths), seconds_declared=self.duration_seconds, notes=notes)
        if len(paths) > limits.max_frames:
            raise limits.exceeded(name, f"it has {len(paths):,} images, more", "max_frames")

    @property
    def duration_seconds(self) -> float:
        """Length at 25 images a second."""
        return float(len(self._paths) / IMAGES_PER_SECOND)

    @property
    def frames_per_second(self) -> float:
        """The rate that images are taken to be at."""
        return float(IMAGES_PER_SECOND)

    def timeline(self) -> Timeline:
        """Return when each image is shown; all can be read on their own."""
        pts = np.arange(len(self._paths), dtype=np.int64)
        return Timeline(pts, 1 / IMAGES_PER_SECOND, 1 / IMAGES_PER_SECOND)

    def frames_at(self, timeline: Timeline, ordinals: Sequence[int]) -> Iterator[DecodedFrame]:
        """Yield some of the images.

        Args:
            timeline: of the images.
            ordinals: which of them, ascending.

        Raises:
            SeekError: one cannot be read.
        """
        for ordinal in ordinals:
            try:
                frame, ratio = _read_image(self._paths[ordinal], self._limits)
            except VideoError as error:
                raise SeekError(str(error)) from error
            seconds = int(timeline.pts[ordinal]) * timeline.time_base
            yield DecodedFrame(frame, ratio, read_orientation(frame), seconds, timeline.time_base)

    def frames(self) -> Iterator[DecodedFrame]:
        """Yield every image.

        Raises:
            VideoError: an image cannot be read, unless partial videos are allowed; or none can.
        """
        report = self.report
        for path in self._paths:
            try:
                frame, ratio = _read_image(path, self._limits)
            except VideoLimitError:
                raise
            except VideoError as error:
                if not self._allow_partial:
                    raise error.restated(f"{error}; `allow_partial=True` passes over it", VideoError) from error
                report.damaged_packets += 1
                continue
            seconds = report.frames_decoded / IMAGES_PER_SECOND
            report.frames_decoded += 1
            report.seconds_found = float(report.frames_decoded / IMAGES_PER_SECOND)
            yield DecodedFrame(frame, ratio, read_orientation(frame), seconds, 1 / IMAGES_PER_SECOND)
        if report.frames_decoded == 0:
            raise VideoError(f"{self._name}: none of its images can be read; check the files")
        if report.damaged_packets:
            report.incomplete = True
            damage = f"damaged: {report.damaged_packets} of {len(self._paths)} images could not be read"
            report.notes = (*report.notes, damage)


def _read_image(path: Path, limits: VideoLimits) -> tuple[av.VideoFrame, Fraction]:
    """Return the first frame of an image file and the aspect ratio of its samples.

    Raises:
        VideoError: the file is no image, or damaged.
        VideoLimitError: the image is larger than the limit.
    """
    max_pixels = limits.max_pixels
    options = {"format_whitelist": _FORMATS, "max_pixels": str(max_pixels)}
    too_large = limits.exceeded(str(path), "the image is larger", "max_pixels")
    try:
        if path.stat().st_size > MAX_IMAGE_FILE_BYTES:
            raise VideoError(f"{path}: too large a file to be an image")
        # Read here and given without its name, which FFmpeg would search for patterns such as `%d`.
        content = io.BytesIO(path.read_bytes())
        if animation_kind(path) == "webp":
            return _first_of_webp(path, limits), Fraction(1)
        with av.open(content, "r", options=options) as container:
            stream = container.streams.video[0]
            context = stream.codec_context
            if context.width * context.height > max_pixels:
                raise too_large
            context.options = {"max_pixels": str(max_pixels)}
            packet = next(container.demux(stream))
            try:
                frames = packet.decode() or stream.codec_context.decode(None)
            except av.FFmpegError as error:
                if refused_for_size(stream, [packet], max_pixels):
                    raise too_large from error
                raise
            return frames[0], stream.sample_aspect_ratio or Fraction(1)
    except (av.FFmpegError, OSError, ValueError, IndexError, StopIteration) as error:
        reason = "empty" if path.is_file() and path.stat().st_size == 0 else "not an image that can be read, or damaged"
        raise VideoError(f"{path}: {reason}") from error


def _first_of_webp(path: Path, limits: VideoLimits) -> av.VideoFrame:
    return next(WebpAnimation(str(path), path, limits, allow_partial=False).frames()).frame

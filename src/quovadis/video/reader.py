"""The one way in: a source of any kind as frames ready for the network."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from fractions import Fraction
from pathlib import Path
from typing import Literal, Self

from quovadis.errors import VideoError, VideoLimitError
from quovadis.video.animations import FrameSource, open_animation
from quovadis.video.decoder import Decoder, VideoReport
from quovadis.video.frames import DecodedFrame, Frame
from quovadis.video.geometry import Converter, FrameConverter
from quovadis.video.images import IMAGE_SUFFIXES, ImageSequence
from quovadis.video.limits import VideoLimits
from quovadis.video.resample import ResampledFrame, resample, tick_of
from quovadis.video.series import frame_series
from quovadis.video.signatures import animation_kind, is_video_content
from quovadis.video.source import is_address, local_path, open_instructions

STILL_NOTE = "a still picture: one frame"
"""Said of a file that turns out to hold no more."""


class Video(AbstractContextManager["Video"]):
    """A video open for reading; iterate once, inside a `with`, over `Frame`s."""

    def __init__(
        self,
        name: str,
        decoder: FrameSource,
        *,
        fps: float | Literal["native"],
        limits: VideoLimits,
        start_seconds: float,
        duration_seconds: float | None,
        converter: Callable[[], Converter] = FrameConverter,
        is_file: bool = False,
    ) -> None:
        self.name = name
        """The source, as it was given."""
        self._decoder = decoder
        self._fps = None if fps == "native" else Fraction(fps).limit_denominator(100_000)
        self._limits = limits
        self._converter = converter
        self._is_file = is_file
        self._start = Fraction(start_seconds)
        self._end = None if duration_seconds is None else self._start + Fraction(duration_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._decoder.close()

    @property
    def live(self) -> bool:
        """Whether the source has no end of its own, as a camera."""
        return self._decoder.live

    @property
    def duration_seconds(self) -> float | None:
        """Length by the header; None where it does not say."""
        return self._decoder.duration_seconds

    @property
    def frames_per_second(self) -> float | None:
        """Average rate of the source by the header; None where it does not say."""
        return self._decoder.frames_per_second

    @property
    def report(self) -> VideoReport:
        """What the video turned out to hold; complete once its frames were all taken."""
        return self._decoder.report

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames, resampled and converted; a frame that is not shown is not converted.

        Raises:
            VideoError: the video is damaged, cut off, or exceeds a limit.
        """
        return self.frames_where(lambda place: True)

    def frames_where(self, wanted: Callable[[int], bool]) -> Iterator[Frame]:
        """Yield the frames whose numbers, from 0, are wanted; the others are decoded but not converted."""
        converter = self._converter()
        converted: tuple[DecodedFrame, Frame] | None = None
        for place, shown in enumerate(self.resampled()):
            if not wanted(place):
                continue
            source = shown.frame
            if converted is None or converted[0] is not source:
                try:
                    pixels = converter.convert(source.picture, source.aspect_ratio, source.orientation)
                except VideoError as error:
                    raise type(error)(f"{self.name}: {error}") from error
            else:
                pixels = converted[1].pixels
            if self._fps is None:
                frame = Frame(pixels, float(source.seconds), float(source.duration_seconds))
            else:
                frame = Frame(pixels, float(shown.tick / self._fps), float(1 / self._fps))
            converted = source, frame
            yield frame

    def resampled(self) -> Iterator[ResampledFrame]:
        """Yield the decoded frame of each tick, within the part of the video that was asked for."""
        fps = self._fps
        frames = self._decoded()
        if fps is None:
            ticks = (ResampledFrame(place, frame) for place, frame in enumerate(frames))
            for shown in ticks:
                if self._end is not None and shown.frame.seconds >= self._end:
                    return
                if shown.frame.seconds >= self._start:
                    yield shown
            return
        start = tick_of(self._start, fps)
        end = None if self._end is None else max(tick_of(self._end, fps), start + 1)
        for shown in resample(frames, fps, self._check_tick, lambda: self._decoder.first_seconds):
            if shown.tick >= start:
                yield shown
            # Left before the next frame is decoded: a live source must not be waited for.
            if end is not None and shown.tick + 1 >= end:
                return

    def _decoded(self) -> Iterator[DecodedFrame]:
        yield from self._decoder.frames()
        report = self.report
        if self._is_file and report.frames_decoded == 1 and not report.partial:
            report.notes = (*report.notes, STILL_NOTE)

    def _check_tick(self, tick: int) -> None:
        if tick > self._limits.max_frames and not self.live:
            raise VideoLimitError(
                f"{self.name}: its timestamps reach over more than the limit of {self._limits.max_frames:,} frames; "
                "`max_frames` raises it"
            )


def open_video(
    source: str | os.PathLike[str],
    *,
    fps: float | Literal["native"] = 25.0,
    limits: VideoLimits | None = None,
    allow_partial: bool = False,
    start_seconds: float = 0.0,
    duration_seconds: float | None = None,
    threads: int = 0,
    converter: Callable[[], Converter] = FrameConverter,
) -> Video:
    """Open a file, an animated picture, a folder of images, an address or `camera:0`.

    Args:
        source: what to open. Local files are read as containers of pictures and sound alone: playlists, which could
            read other files, are refused.
        fps: frames a second to resample to; `native` keeps every frame of the source.
        limits: the most to accept; None: the defaults.
        allow_partial: accept what can be read of a damaged or cut-off video.
        start_seconds: where to begin.
        duration_seconds: how much to read; None: to the end.
        threads: of the decoder; 0: one for small frames, else as many as FFmpeg sees fit.
        converter: makes what turns pictures into pixels.

    Raises:
        VideoError: the source cannot be opened, or has no pictures.
        VideoLimitError: its header declares more than the limits admit.
    """
    name = os.fspath(source)
    limits = limits or VideoLimits()
    path = local_path(name)
    decoder: FrameSource
    is_file = not is_address(name) and path.is_file()
    if not is_address(name) and path.is_dir():
        decoder = _open_folder(path, name, limits, allow_partial=allow_partial)
    elif is_file and (kind := animation_kind(path)) is not None:
        decoder = open_animation(kind, name, path, limits, allow_partial=allow_partial, threads=threads)
    elif is_file and path.suffix.lower() in IMAGE_SUFFIXES and not is_video_content(path):
        decoder = ImageSequence(name, [path], limits, allow_partial=allow_partial)
    else:
        if not is_address(name):
            _check_file(path, name)
        decoder = Decoder(name, open_instructions(name), limits, allow_partial=allow_partial, threads=threads)
    return Video(
        name,
        decoder,
        fps=fps,
        limits=limits,
        start_seconds=start_seconds,
        duration_seconds=duration_seconds,
        converter=converter,
        is_file=is_file,
    )


def _open_folder(path: Path, name: str, limits: VideoLimits, *, allow_partial: bool) -> ImageSequence:
    try:
        series = frame_series(path)
    except OSError as error:
        raise VideoError(f"{error.filename or name}: cannot be read: {error.strerror}") from error
    if not series.paths:
        raise VideoError(f"{name}: no images in this folder; give a video, or a folder of images or videos")
    return ImageSequence(name, series.paths, limits, allow_partial=allow_partial, notes=series.notes)


def open_images(
    name: str,
    paths: Sequence[Path],
    *,
    limits: VideoLimits | None = None,
    allow_partial: bool = False,
    converter: Callable[[], Converter] = FrameConverter,
    notes: tuple[str, ...] = (),
) -> Video:
    """Open images as a video of 25 frames a second, all of them kept.

    Args:
        name: what errors call the video.
        paths: images, in order.
        limits: the most to accept; None: the defaults.
        allow_partial: pass over images that cannot be read.
        converter: makes what turns pictures into pixels.
        notes: what is unusual about them.

    Raises:
        VideoLimitError: more images than the limits admit.
    """
    limits = limits or VideoLimits()
    images = ImageSequence(name, list(paths), limits, allow_partial=allow_partial, notes=notes)
    return Video(
        name, images, fps="native", limits=limits, start_seconds=0.0, duration_seconds=None, converter=converter
    )


def _check_file(path: Path, name: str) -> None:
    try:
        with path.open("rb") as file:
            if not file.read(1) and path.is_file():
                raise VideoError(f"{name}: empty file")
    except FileNotFoundError as error:
        raise VideoError(f"{name}: no such file") from error
    except (OSError, ValueError) as error:
        raise VideoError(f"{name}: cannot be read: {getattr(error, 'strerror', None) or error}") from error

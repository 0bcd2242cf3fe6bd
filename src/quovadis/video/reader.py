"""A video that is open: its frames, resampled and ready for the network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from fractions import Fraction
from typing import Self, TypedDict, Unpack, cast

from quovadis.architecture import FRAMES_PER_SECOND, TEMPORAL_STRIDE
from quovadis.errors import VideoError
from quovadis.limits import VideoLimits
from quovadis.video.animations import FrameSource
from quovadis.video.decoder import VideoReport
from quovadis.video.frames import DecodedFrame, Frame
from quovadis.video.geometry import Converter, FrameConverter
from quovadis.video.prefetch import Prefetch
from quovadis.video.resample import ResampledFrame, resample, tick_of
from quovadis.video.sampling import WHOLE_VIDEO, FrameRate, Sampling, TimeSpan
from quovadis.video.timeline import SeekableSource, Timeline

AHEAD_FRAMES = 64
"""Frames decoded ahead of the network: 9.6 MB."""
STILL_NOTE = "a still picture: one frame"
"""Said of a file that turns out to hold no more."""


class View(TypedDict, total=False):
    """How the frames of a video are looked at."""

    fps: FrameRate
    """Frames a second to resample to, or `native`; by default 25."""
    span: TimeSpan
    """The part to read; by default all of it."""
    converter: Callable[[], Converter]
    """Makes what turns decoded frames into pixels; by default as the network takes them."""


class Access(TypedDict, total=False):
    """How much of a video is accepted, and how it is decoded."""

    limits: VideoLimits | None
    """The most pixels, frames and seconds to accept; None: the defaults."""
    allow_partial: bool
    """Whether to accept what can be read of a damaged or cut-off video; by default not."""
    threads: int
    """Of the decoder; by default 0: one for small frames, else as many as FFmpeg sees fit."""


class OpenOptions(View, Access):
    """How a video is opened."""


def checked_view(options: OpenOptions) -> Sampling:
    """Return the rate and the part of a video that are asked for.

    Raises:
        ArchitectureError: values that cannot be.
    """
    return Sampling(fps=options.get("fps", FRAMES_PER_SECOND), span=options.get("span", WHOLE_VIDEO))


class Video(AbstractContextManager["Video"]):
    """A video open for reading; iterate once, inside a `with`, over `Frame`s."""

    def __init__(
        self, name: str, decoder: FrameSource, *, is_file: bool = False, **options: Unpack[OpenOptions]
    ) -> None:
        """Take what gives decoded frames.

        Args:
            name: what errors call the video.
            decoder: gives decoded frames.
            is_file: whether it is a file, which may turn out to hold no more than one frame.
            **options: how the video is looked at; those of the decoder play no part.

        Raises:
            ArchitectureError: a rate or a part that cannot be.
        """
        view = checked_view(options)
        fps, span = view.fps, view.span
        self.name = name
        """The source, as it was given."""
        self.reads_ahead = True
        """Whether frames may be read before they are needed, in another thread."""
        self.source: object = None
        """What was opened, which is not to go before this does."""
        self.check: Callable[[], None] = lambda: None
        """Called for every frame that is read; ends the reading by raising."""
        self._decoder = decoder
        self._fps = None if fps == "native" else Fraction(fps).limit_denominator(100_000)
        self._limits = options.get("limits") or VideoLimits()
        self._converter = options.get("converter", FrameConverter)
        self._is_file = is_file
        self._allow_partial = options.get("allow_partial", False)
        self._start = Fraction(span.start_seconds)
        self._end = None if span.duration_seconds is None else self._start + Fraction(span.duration_seconds)
        self._prefetch: Prefetch[Frame] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._prefetch is not None:
            self._prefetch.__exit__(None, None, None)
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
    def dropped_frames(self) -> int:
        """Frames of a live source that came faster than they could be used, and were left out."""
        return 0 if self._prefetch is None else self._prefetch.dropped

    @property
    def report(self) -> VideoReport:
        """What the video turned out to hold; complete once its frames were all taken."""
        return self._decoder.report

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames, resampled and converted; a frame that is not shown is not converted.

        Raises:
            VideoError: the video is damaged, cut off, or exceeds a limit.
        """
        return self.frames_where(lambda index: True)

    def frames_ahead(self) -> Iterator[Frame]:
        """Yield the same frames, decoded ahead in a thread once the first is asked for, where the source may be.

        Of a live source that comes faster than it is used, the oldest waiting 8 frames are left out whenever 64 wait.
        """
        if not self.reads_ahead:
            return iter(self)
        self._prefetch = Prefetch(self, AHEAD_FRAMES, drop=TEMPORAL_STRIDE if self.live else 0)
        return iter(self._prefetch)

    def count_frames(self) -> int:
        """Return the number of frames, which as a rule only decoding tells: the video cannot be read afterwards.

        Raises:
            VideoError: the video is damaged, cut off, or exceeds a limit.
        """
        known = self._decoder.frame_count
        return sum(1 for _ in self.resampled()) if known is None else known

    def frames_where(self, wanted: Callable[[int], bool]) -> Iterator[Frame]:
        """Yield the frames whose indices, from 0, are wanted; the others are decoded but not converted."""
        return self._converted(shown for index, shown in enumerate(self.resampled()) if wanted(index))

    @property
    def may_seek(self) -> bool:
        """Whether there may be a timeline to find frames by.

        Where partial videos are allowed, frames may be missing, and where only a part of a video is read, other frames
        count: both are read from the beginning.
        """
        is_whole = not self._allow_partial and not self._start and self._end is None
        return is_whole and isinstance(self._decoder, SeekableSource)

    def timeline(self) -> Timeline | None:
        """Return when each frame of a video that may seek is shown, without decoding it; None: only decoding tells.

        Afterwards the frames can be read by `frames_at` alone.
        """
        timeline = cast("SeekableSource", self._decoder).timeline()
        is_within = timeline is not None and timeline.count(self._fps) <= self._limits.max_frames
        return timeline if is_within else None

    def indexed_count(self, timeline: Timeline) -> int:
        """Return the number of frames, by the timeline."""
        return timeline.count(self._fps)

    def frames_at(self, timeline: Timeline, indices: Sequence[int]) -> Iterator[Frame]:
        """Yield some of the frames, found by the timeline, without decoding all that come before.

        Args:
            timeline: of this video.
            indices: of the frames, ascending, each once.

        Raises:
            SeekError: they may not be the same frames as those that reading from the beginning gives.
        """
        decoder = cast("SeekableSource", self._decoder)
        ordinals = timeline.ordinals(indices, self._fps)
        decoded = decoder.frames_at(timeline, list(dict.fromkeys(ordinals)))
        return self._converted(self._at_ticks(indices, ordinals, decoded))

    def _at_ticks(
        self, indices: Sequence[int], ordinals: Sequence[int], decoded: Iterator[DecodedFrame]
    ) -> Iterator[ResampledFrame]:
        before: int | None = None
        for tick, ordinal in zip(indices, ordinals, strict=True):
            if ordinal != before:
                frame, before = next(decoded), ordinal
            self.check()
            yield ResampledFrame(tick, frame)

    def _converted(self, ticks: Iterable[ResampledFrame]) -> Iterator[Frame]:
        converter = self._converter()
        converted: tuple[DecodedFrame, Frame] | None = None
        for shown in ticks:
            source = shown.decoded
            if converted is None or converted[0] is not source:
                try:
                    pixels = converter.convert(source.frame, source.aspect_ratio, source.orientation)
                except VideoError as error:
                    raise type(error)(f"{self.name}: {error}") from error
            else:
                pixels = converted[1].pixels
            if self._fps is None:
                frame = Frame(pixels, float(source.pts_seconds), float(source.duration_seconds))
            else:
                frame = Frame(pixels, float(shown.tick / self._fps), float(1 / self._fps))
            converted = source, frame
            yield frame

    def resampled(self) -> Iterator[ResampledFrame]:
        """Yield the decoded frame of each tick, within the part of the video that was asked for."""
        for shown in self._ticks():
            self.check()
            yield shown

    def _ticks(self) -> Iterator[ResampledFrame]:
        fps = self._fps
        frames = self._decoded()
        if fps is None:
            for tick, decoded in enumerate(frames):
                if self._end is not None and decoded.pts_seconds >= self._end:
                    return
                if decoded.pts_seconds >= self._start:
                    yield ResampledFrame(tick, decoded)
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
        if self._is_file and report.frames_decoded == 1 and not report.incomplete:
            report.notes = (*report.notes, STILL_NOTE)

    def _check_tick(self, tick: int) -> None:
        if tick > self._limits.max_frames and not self.live:
            raise self._limits.exceeded(self.name, "resampled, it has more frames", "max_frames")

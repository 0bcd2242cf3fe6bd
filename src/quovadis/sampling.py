"""From a source of any kind to the clips that the network sees."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import ceil, inf
from typing import Generic, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import (
    CLIP_FRAMES,
    DEFAULT_CHUNK_FRAMES,
    FRAMES_PER_SECOND,
    MINIMUM_FRAMES,
    TEMPORAL_STRIDE,
    WINDOW_STEPS,
    check_chunk,
)
from quovadis.errors import ArchitectureError
from quovadis.video import (
    Clip,
    Frame,
    Prefetch,
    Video,
    VideoLimits,
    VideoReport,
    array_frames,
    centre_clip,
    centre_of,
    check_array,
    clips_from_frames,
    open_video,
)
from quovadis.video.geometry import Converter, FrameConverter

Source: TypeAlias = "str | os.PathLike[str] | NDArray[np.uint8]"
"""A file, folder of images, address, `camera:0`, or frames in memory: uint8 RGB, shape frames, height, width, 3."""

Item = TypeVar("Item")
Other = TypeVar("Other")

AHEAD_FRAMES = 64
"""Frames decoded ahead of the network: 9.6 MB."""


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Which frames of a video become clips.

    Raises:
        ArchitectureError: when made with values that cannot be.
    """

    clip: Literal["all", "centre", "dense"] = "all"
    """`all`: windows over the whole video; `centre`: the one in its middle; `dense`: the network over the whole video
    at once, every frame computed once, with a prediction every 8 frames."""
    clip_frames: int = CLIP_FRAMES
    """Frames of a clip, at least 9."""
    stride: int | None = None
    """Frames from the start of one clip to the start of the next; None: `clip_frames`, so that clips adjoin."""
    fps: float | Literal["native"] = FRAMES_PER_SECOND
    """Frames a second that the video is resampled to; `native` keeps every frame."""
    start_seconds: float = 0.0
    """Where to begin in the video."""
    duration_seconds: float | None = None
    """How much of it to read; None: all of it. Ends a live source."""
    window_steps: int = WINDOW_STEPS
    """In dense mode, steps whose logits are averaged into a prediction: 9 see what a clip of 79 frames sees."""
    chunk_frames: int = DEFAULT_CHUNK_FRAMES
    """In dense mode, frames that go through the network in one call: a multiple of 8, more being faster and later."""

    def __post_init__(self) -> None:
        if self.clip not in ("all", "centre", "dense"):
            raise ArchitectureError(f'a video is sampled by clip "all", "centre" or "dense", not "{self.clip}"')
        if self.window_steps < 1:
            raise ArchitectureError(f"a window of {self.window_steps} steps is empty: give 1 or more")
        check_chunk(self.chunk_frames)
        if self.clip_frames < MINIMUM_FRAMES:
            raise ArchitectureError(
                f"clips of {self.clip_frames} frames are too short: the network needs at least {MINIMUM_FRAMES}"
            )
        if self.stride is not None and self.stride < 1:
            raise ArchitectureError(f"a stride of {self.stride} frames goes nowhere: give 1 or more")
        if self.fps != "native" and not 0 < self.fps <= 1000:
            raise ArchitectureError(f'{self.fps} frames a second cannot be: give a rate up to 1000, or "native"')
        if not self.start_seconds >= 0 or not (self.duration_seconds is None or self.duration_seconds > 0):
            raise ArchitectureError("the start must be 0 seconds or later, and the duration more than 0 seconds")

    @property
    def frames_between_clips(self) -> int:
        """The stride, in frames."""
        return self.clip_frames if self.stride is None else self.stride


class SourceStream(AbstractContextManager["SourceStream[Item]"], Generic[Item]):
    """The clips or frames of one source, made as they are asked for; iterable once, inside a `with`."""

    def __init__(
        self,
        name: str,
        items: Iterator[Item],
        *,
        expected: int | None = None,
        video: Video | None = None,
        ahead: Prefetch[Frame] | None = None,
    ) -> None:
        self.name = name
        """The source, as it was given."""
        self.expected = expected
        """How many predictions there will be, as far as the header tells; None where it does not."""
        self._items = items
        self._video = video
        self._ahead = ahead

    def __iter__(self) -> Iterator[Item]:
        return self._items

    def map(self, make: Callable[[Item], Other]) -> SourceStream[Other]:
        """Return the same source with `make` applied to each item."""
        return self.mapped(make(item) for item in self._items)

    def mapped(self, items: Iterator[Other]) -> SourceStream[Other]:
        """Return the same source with what was made of its items."""
        return SourceStream(self.name, items, expected=self.expected, video=self._video, ahead=self._ahead)

    def __exit__(self, *exception: object) -> None:
        if self._ahead is not None:
            self._ahead.__exit__(None, None, None)
        if self._video is not None:
            self._video.__exit__(None, None, None)

    @property
    def live(self) -> bool:
        """Whether the source has no end of its own, as a camera."""
        return self._video is not None and self._video.live

    @property
    def frames_per_second(self) -> float | None:
        """Average rate of the source by its header; None where it does not say, or for frames in memory."""
        return None if self._video is None else self._video.frames_per_second

    @property
    def report(self) -> VideoReport:
        """What the video turned out to hold; complete once everything was taken."""
        return VideoReport() if self._video is None else self._video.report

    @property
    def dropped_frames(self) -> int:
        """Frames of a live source that came faster than they could be used, and were left out."""
        return 0 if self._ahead is None else self._ahead.dropped


def open_clips(
    source: Source, sampling: Sampling, limits: VideoLimits, *, allow_partial: bool = False
) -> SourceStream[Clip]:
    """Open `source` and sample its clips; nothing is decoded before the first clip is asked for.

    Raises:
        VideoError: the source cannot be opened, or is an array of another dtype or shape.
    """
    if sampling.clip != "centre":
        frames = open_frames(source, sampling, limits, allow_partial=allow_partial)
        clips = clips_from_frames(frames, clip_frames=sampling.clip_frames, stride=sampling.frames_between_clips)
        return frames.mapped(clips)
    if isinstance(source, np.ndarray):
        return _array_centre(source, sampling)

    def open_again() -> Video:
        return _open(source, sampling, limits, allow_partial=allow_partial)

    video = open_again()
    return SourceStream(video.name, centre_clip(video, open_again, sampling.clip_frames), expected=1, video=video)


def open_frames(
    source: Source,
    sampling: Sampling,
    limits: VideoLimits,
    *,
    allow_partial: bool = False,
    converter: Callable[[], Converter] | None = None,
) -> SourceStream[Frame]:
    """Open `source` for its frames, which are decoded ahead in a thread once the first is asked for.

    Of a live source that comes faster than it is used, the oldest waiting 8 frames are left out whenever 64 wait. The
    `converter` makes what turns pictures into pixels; None: the usual way.

    Raises:
        VideoError: the source cannot be opened, or is an array of another dtype or shape.
    """
    if isinstance(source, np.ndarray):
        check_array(source)
        rate, first, frames = _array_part(source, sampling)
        return SourceStream("<array>", array_frames(frames, fps=rate, first=first, converter=converter))
    video = _open(source, sampling, limits, allow_partial=allow_partial, converter=converter or FrameConverter)
    ahead = Prefetch(video, AHEAD_FRAMES, drop=TEMPORAL_STRIDE if video.live else 0)
    return SourceStream(video.name, iter(ahead), expected=_expected(video, sampling), video=video, ahead=ahead)


def iterated_frames(images: Iterable[NDArray[np.uint8]], sampling: Sampling) -> SourceStream[Frame]:
    """Take frames from an iterable of images, uint8 RGB of shape height, width, 3, as they are asked for.

    Raises:
        VideoError: an image of another dtype or shape.
    """
    rate, _, _ = _array_part(np.empty((0,), np.uint8), sampling)

    def frames() -> Iterator[Frame]:
        for place, image in enumerate(images):
            batch = np.asarray(image)[np.newaxis]
            yield from array_frames(batch, fps=rate, first=place)

    return SourceStream("<frames>", frames())


def _open(
    source: str | os.PathLike[str],
    sampling: Sampling,
    limits: VideoLimits,
    *,
    allow_partial: bool,
    converter: Callable[[], Converter] = FrameConverter,
) -> Video:
    return open_video(
        source,
        fps=sampling.fps,
        limits=limits,
        allow_partial=allow_partial,
        start_seconds=sampling.start_seconds,
        duration_seconds=sampling.duration_seconds,
        converter=converter,
    )


def _array_part(frames: NDArray[np.uint8], sampling: Sampling) -> tuple[float, int, NDArray[np.uint8]]:
    """Return rate, number of the first frame, and the frames that were asked for."""
    rate = FRAMES_PER_SECOND if sampling.fps == "native" else sampling.fps
    first = round(sampling.start_seconds * rate)
    last = None if sampling.duration_seconds is None else first + round(sampling.duration_seconds * rate)
    return rate, first, frames[first:last]


def _array_centre(frames: NDArray[np.uint8], sampling: Sampling) -> SourceStream[Clip]:
    check_array(frames)
    rate, first, part = _array_part(frames, sampling)
    offset = centre_of(len(part), sampling.clip_frames)
    chosen = array_frames(part[offset : offset + sampling.clip_frames], fps=rate, first=first + offset)
    clips = clips_from_frames(chosen, clip_frames=sampling.clip_frames, stride=sampling.clip_frames)
    return SourceStream("<array>", clips)


def _expected(video: Video, sampling: Sampling) -> int | None:
    rate = video.frames_per_second if sampling.fps == "native" else sampling.fps
    if rate is None or (video.duration_seconds is None and sampling.duration_seconds is None):
        return None
    seconds = inf if video.duration_seconds is None else max(video.duration_seconds - sampling.start_seconds, 0.0)
    if sampling.duration_seconds is not None:
        seconds = min(seconds, sampling.duration_seconds)
    if sampling.clip == "dense":
        return max(ceil((round(seconds * rate) - TEMPORAL_STRIDE) / TEMPORAL_STRIDE), 1)
    covered = sampling.clip_frames + MINIMUM_FRAMES - 1
    return max(ceil((round(seconds * rate) - covered) / sampling.frames_between_clips) + 1, 1)

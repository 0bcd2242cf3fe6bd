"""From a source of any kind to the clips that the network sees."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import ceil, inf
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import CLIP_FRAMES, MINIMUM_FRAMES
from quovadis.errors import ArchitectureError
from quovadis.video import (
    Clip,
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

Source: TypeAlias = "str | os.PathLike[str] | NDArray[np.uint8]"
"""A file, folder of images, address, `camera:0`, or frames in memory: uint8 RGB, shape frames, height, width, 3."""

FRAMES_PER_SECOND = 25.0
"""The rate at which I3D was trained and is tested (paper, section 4; kinetics-i3d's README)."""


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Which frames of a video become clips.

    Raises:
        ArchitectureError: when made with values that cannot be.
    """

    clip: Literal["all", "centre"] = "all"
    """`all`: windows over the whole video; `centre`: the one in its middle."""
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

    def __post_init__(self) -> None:
        if self.clip not in ("all", "centre"):
            raise ArchitectureError(f'a video is sampled by clip "all" or "centre", not "{self.clip}"')
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


class ClipStream(AbstractContextManager["ClipStream"]):
    """The clips of one source, made as they are asked for; iterable once, inside a `with`."""

    def __init__(self, name: str, clips: Iterator[Clip], expected_clips: int | None, video: Video | None) -> None:
        self.name = name
        """The source, as it was given."""
        self.expected_clips = expected_clips
        """How many clips there will be, as far as the header tells; None where it does not."""
        self._clips = clips
        self._video = video

    def __iter__(self) -> Iterator[Clip]:
        return self._clips

    def __exit__(self, *exception: object) -> None:
        if self._video is not None:
            self._video.__exit__(None, None, None)

    @property
    def live(self) -> bool:
        """Whether the source has no end of its own, as a camera."""
        return self._video is not None and self._video.live

    @property
    def report(self) -> VideoReport:
        """What the video turned out to hold; complete once all clips were taken."""
        return VideoReport() if self._video is None else self._video.report


def open_clips(source: Source, sampling: Sampling, limits: VideoLimits, *, allow_partial: bool = False) -> ClipStream:
    """Open `source` and sample its clips; nothing is decoded before the first clip is asked for.

    Raises:
        VideoError: the source cannot be opened, or is an array of another dtype or shape.
    """
    if isinstance(source, np.ndarray):
        return _array_clips(source, sampling)

    def open_again() -> Video:
        return open_video(
            source,
            fps=sampling.fps,
            limits=limits,
            allow_partial=allow_partial,
            start_seconds=sampling.start_seconds,
            duration_seconds=sampling.duration_seconds,
        )

    video = open_again()
    if sampling.clip == "centre":
        return ClipStream(video.name, centre_clip(video, open_again, sampling.clip_frames), 1, video)
    clips = clips_from_frames(video, clip_frames=sampling.clip_frames, stride=sampling.frames_between_clips)
    return ClipStream(video.name, clips, _expected_clips(video, sampling), video)


def _array_clips(frames: NDArray[np.uint8], sampling: Sampling) -> ClipStream:
    check_array(frames)
    rate = FRAMES_PER_SECOND if sampling.fps == "native" else sampling.fps
    first = round(sampling.start_seconds * rate)
    last = None if sampling.duration_seconds is None else first + round(sampling.duration_seconds * rate)
    frames = frames[first:last]
    if sampling.clip == "centre":
        offset = centre_of(len(frames), sampling.clip_frames)
        first, frames = first + offset, frames[offset : offset + sampling.clip_frames]
    clips = clips_from_frames(
        array_frames(frames, fps=rate, first=first),
        clip_frames=sampling.clip_frames,
        stride=sampling.frames_between_clips,
    )
    return ClipStream("<array>", clips, None, None)


def _expected_clips(video: Video, sampling: Sampling) -> int | None:
    rate = video.frames_per_second if sampling.fps == "native" else sampling.fps
    if rate is None or (video.duration_seconds is None and sampling.duration_seconds is None):
        return None
    seconds = inf if video.duration_seconds is None else max(video.duration_seconds - sampling.start_seconds, 0.0)
    if sampling.duration_seconds is not None:
        seconds = min(seconds, sampling.duration_seconds)
    covered = sampling.clip_frames + MINIMUM_FRAMES - 1
    return max(ceil((round(seconds * rate) - covered) / sampling.frames_between_clips) + 1, 1)

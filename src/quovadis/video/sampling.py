"""Which frames of a video become clips: options, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil, inf
from typing import TYPE_CHECKING, Literal, TypeAlias

from quovadis.architecture import (
    CLIP_FRAMES,
    DEFAULT_CHUNK_FRAMES,
    FRAMES_PER_SECOND,
    MAX_WINDOW_STEPS,
    MINIMUM_FRAMES,
    TEMPORAL_STRIDE,
    WINDOW_STEPS,
    check_chunk,
    check_clip_frames,
)
from quovadis.errors import ArchitectureError, VideoError
from quovadis.fields import check_fields

if TYPE_CHECKING:
    from quovadis.video.reader import Video

FrameRate: TypeAlias = "float | Literal['native']"
"""Frames a second that a video is resampled to; `native` keeps every frame of it."""
Remainder: TypeAlias = Literal["mixed", "loop", "join", "drop"]
"""What becomes of frames at the end that no full window covers. `loop`: they make one more window, however few they
are, which is looped to full length; `join`: they join the last window, which then is longer, however many they are;
`mixed`: 9 or more are looped, and fewer join; `drop`: only full windows count, and a shorter video has none."""


@dataclass(frozen=True, kw_only=True)
class SlidingWindows:
    """Windows over the whole video, whose starts lie evenly apart.

    Raises:
        ArchitectureError: when made with values that are not possible, or that do not go together.
    """

    clip_frames: int = CLIP_FRAMES
    """Frames of a window, 9 to 1024."""
    stride: int | None = field(default=None, metadata={"min": 1})
    """Frames from the start of one window to the start of the next; None: `clip_frames`, so that windows adjoin."""
    remainder: Remainder = "mixed"
    """What becomes of frames that are left at the end."""
    lookahead_frames: int = field(default=0, metadata={"min": 0})
    """Frames that must follow a full window for it to count; only where the remainder is dropped."""

    def __post_init__(self) -> None:
        check_fields(self, ArchitectureError)
        check_clip_frames(self.clip_frames)
        if self.lookahead_frames and self.remainder != "drop":
            raise ArchitectureError(
                f"{self.lookahead_frames} frames are to follow each window, which goes with full windows alone"
            )
        if self.remainder == "join" and self.frames_between_clips > self.clip_frames:
            raise ArchitectureError(
                f"a stride of {self.frames_between_clips} leaves gaps between windows of {self.clip_frames} frames, "
                "so that the frames that are left cannot join the last one: loop or drop them"
            )

    @property
    def frames_between_clips(self) -> int:
        """The stride, in frames."""
        return self.clip_frames if self.stride is None else self.stride

    def expected(self, frames: int) -> int:
        """Return how many windows a video of so many frames has."""
        if self.remainder == "drop":
            rest = frames - self.clip_frames - self.lookahead_frames
            return max(rest // self.frames_between_clips + 1, 0)
        covered = self.clip_frames + MINIMUM_FRAMES - 1
        return max(ceil((frames - covered) / self.frames_between_clips) + 1, 1)


@dataclass(frozen=True, kw_only=True)
class CentreClip:
    """The one clip in the middle of the video, which is looped if it is shorter than the clip.

    Raises:
        ArchitectureError: when made with a clip that is too short for the network, or too long.
    """

    clip_frames: int = CLIP_FRAMES
    """Frames of the clip, 9 to 1024."""

    def __post_init__(self) -> None:
        check_fields(self, ArchitectureError)
        check_clip_frames(self.clip_frames)

    def expected(self, frames: int) -> int:
        """Return 1: a video has one middle."""
        return 1

    def indices(self, frames: int) -> list[int]:
        """Return which of a video's frames make the clip; none of a video without frames.

        The clip starts at frame (frames - clip_frames) // 2, or at the first one of a video shorter than the clip.
        """
        start, real = max((frames - self.clip_frames) // 2, 0), min(frames, self.clip_frames)
        return [start + index % real for index in range(self.clip_frames)] if real else []


@dataclass(frozen=True, kw_only=True)
class Dense:
    """The network over the whole video at once: every frame is computed once, with a prediction every 8 frames.

    Raises:
        ArchitectureError: when made with a window that is empty or too long, or a chunk that is not possible.
    """

    window_steps: int = field(default=WINDOW_STEPS, metadata={"min": 1, "max": MAX_WINDOW_STEPS})
    """Steps whose logits are averaged into a prediction, 1 to 10,000: 9 see what a clip of 79 frames sees."""
    chunk_frames: int = DEFAULT_CHUNK_FRAMES
    """Frames that go through the network in one call: a multiple of 8 up to 1024, more being faster and later."""

    def __post_init__(self) -> None:
        check_fields(self, ArchitectureError)
        check_chunk(self.chunk_frames)

    def expected(self, frames: int) -> int:
        """Return how many predictions a video of so many frames has."""
        return max(ceil((frames - TEMPORAL_STRIDE) / TEMPORAL_STRIDE), 1)


@dataclass(frozen=True, kw_only=True)
class TimeSpan:
    """The part of a video that is read.

    Raises:
        ArchitectureError: when made with a start before 0 seconds or an empty duration.
    """

    start_seconds: float = 0.0
    """Where to begin in the video."""
    duration_seconds: float | None = None
    """How much of it to read; None: all of it. Ends a live source."""

    def __post_init__(self) -> None:
        check_fields(self, ArchitectureError)
        if not 0 <= self.start_seconds < inf:
            raise ArchitectureError(
                f"`start_seconds` must be 0 or more, and finite, not {self.start_seconds:g}", option="start_seconds"
            )
        if self.duration_seconds is not None and not 0 < self.duration_seconds < inf:
            raise ArchitectureError(
                f"`duration_seconds` must be more than 0, and finite, not {self.duration_seconds:g}",
                option="duration_seconds",
            )


WHOLE_VIDEO = TimeSpan()


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How a video is sampled: which clips, at which rate, of which part of it.

    Raises:
        ArchitectureError: when made with values that are not possible.
    """

    clips: SlidingWindows | CentreClip | Dense = field(default_factory=SlidingWindows)
    """What goes through the network together."""
    fps: FrameRate = FRAMES_PER_SECOND
    """Frames a second that the video is resampled to; `native` keeps every frame."""
    span: TimeSpan = WHOLE_VIDEO
    """The part of the video that is read."""

    def __post_init__(self) -> None:
        check_fields(self, ArchitectureError)
        if self.fps != "native" and not 0 < self.fps <= 1000:
            raise ArchitectureError(
                f'{self.fps:g} frames per second is out of range: give a rate above 0, up to 1000, or "native"',
                option="fps",
            )

    def expected(self, video: Video) -> int | None:
        """Return how many predictions there will be, as far as the header tells; None where it does not."""
        if isinstance(self.clips, CentreClip):
            return 1
        rate = video.frames_per_second if self.fps == "native" else self.fps
        length, duration = video.duration_seconds, self.span.duration_seconds
        if rate is None or (length is None and duration is None):
            return None
        seconds = inf if length is None else max(length - self.span.start_seconds, 0.0)
        return self.clips.expected(round(min(seconds, inf if duration is None else duration) * rate))


def nothing_in_span(name: str) -> VideoError:
    """Return the error for a video, as errors call it, that ends before the `TimeSpan` that was asked for."""
    return VideoError(
        f"{name}: no frame lies in the part of the video that was asked for; give an earlier `start_seconds`"
    )

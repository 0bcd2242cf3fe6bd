"""Frames gathered into clips."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import MINIMUM_FRAMES
from quovadis.video.frames import Frame


@dataclass(frozen=True, eq=False)
class Clip:
    """Frames that go through the network together."""

    pixels: NDArray[np.uint8]
    """RGB, 0..255, shape frames, 224, 224, 3, contiguous; looped frames included."""
    index: int
    """Number of the clip in its video, from 0."""
    start_seconds: float
    """Time of the first frame."""
    end_seconds: float
    """Time at which the last frame ends, before any looping."""
    frames: int
    """Frames of the video in the clip, before any looping."""

    @property
    def looped(self) -> bool:
        """Whether frames were repeated to fill the clip."""
        return len(self.pixels) > self.frames


def clips_from_frames(
    frames: Iterable[Frame], *, clip_frames: int, stride: int, min_looped_frames: int | None = MINIMUM_FRAMES
) -> Iterator[Clip]:
    """Yield clips of `clip_frames` frames whose starts lie `stride` frames apart.

    Frames that no full clip covers: 9 or more make one more clip, which starts at its turn and is looped to full
    length; fewer join the last clip, which then has up to 8 frames more. A video shorter than a clip is looped, however
    short. With a stride above `clip_frames` the frames between clips are passed over, and so is a rest of under 9.
    Memory holds the frames of two clips at most, and the clip that is yielded.

    Args:
        frames: of one video, in order.
        clip_frames: frames of a clip, at least 9.
        stride: frames from the start of one clip to that of the next, at least 1.
        min_looped_frames: how many frames that no full clip covers make one more clip; None: no number does, and
            they join the last clip however many they are.
    """
    window: deque[Frame] = deque()
    # The last full clip is kept back until it is known whether a short rest has to join it.
    held: list[Frame] = []
    uncovered = skip = index = 0
    for frame in frames:
        if skip:
            skip -= 1
            continue
        window.append(frame)
        uncovered += 1
        is_full = len(window) == clip_frames
        if held and (is_full or (min_looped_frames is not None and uncovered >= min_looped_frames)):
            yield _clip(held, index, clip_frames)
            index, held = index + 1, []
        if is_full:
            held, uncovered = list(window), 0
            for _ in range(min(stride, clip_frames)):
                window.popleft()
            skip = max(stride - clip_frames, 0)
    if held:
        adjoining = stride <= clip_frames
        rest = list(window)[len(window) - uncovered :] if adjoining and uncovered else []
        yield _clip(held + rest, index, clip_frames)
    elif window:
        yield _clip(list(window), index, clip_frames)


def centre_of(frames: int, clip_frames: int) -> int:
    """Return where the clip in the middle of a video of `frames` frames starts: 0 for a video shorter than a clip."""
    return max((frames - clip_frames) // 2, 0)


def _clip(frames: Sequence[Frame], index: int, clip_frames: int) -> Clip:
    length = max(len(frames), clip_frames)
    pixels = np.stack([frames[place % len(frames)].pixels for place in range(length)])
    last = frames[-1]
    return Clip(pixels, index, frames[0].seconds, last.seconds + last.duration_seconds, len(frames))

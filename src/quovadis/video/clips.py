"""Frames gathered into clips: by windows that slide over the video, or by their indices."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import MINIMUM_FRAMES
from quovadis.errors import VideoError
from quovadis.video.base_source import VideoSource
from quovadis.video.frames import Frame
from quovadis.video.reader import Video, View
from quovadis.video.sampling import CentreClip, Remainder, Sampling, SlidingWindows
from quovadis.video.seeking import frames_at
from quovadis.video.source_reader import SourceReader
from quovadis.video.windows import required_frames, select_windows

_MIN_LOOPED_FRAMES: Mapping[Remainder, int | None] = {"mixed": MINIMUM_FRAMES, "loop": 1, "join": None, "drop": None}
"""How many frames that no full window covers make one more; None: no number does."""


@dataclass(frozen=True, eq=False)
class Clip:
    """Frames that go through the network together."""

    pixels: NDArray[Any]
    """RGB, 0..255, contiguous, looped frames included; by the usual conversion uint8 of shape frames, 224, 224, 3."""
    index: int
    """Which of the video's clips it is, or of those that were asked for, from 0."""
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


def sliding_clips(frames: Iterable[Frame], windows: SlidingWindows, *, equal_lengths: bool = False) -> Iterator[Clip]:
    """Yield clips of `clip_frames` frames whose starts lie `stride` frames apart.

    Frames that no full clip covers either make one more clip, which starts at its turn and is looped to full length, or
    join the last clip, or are dropped, as the windows' remainder says. Unless only full clips count, a video shorter
    than a clip is looped, however short. With a stride above `clip_frames` the frames between clips are passed over,
    and so is a rest that would join. Memory holds the frames of two clips at most, and the clip that is yielded.

    Args:
        frames: of one video, in order.
        windows: which clips.
        equal_lengths: whether all clips must be of one length: what would join the last one is dropped.
    """
    clip_frames, stride = windows.clip_frames, windows.frames_between_clips
    drops, min_looped = windows.remainder == "drop", _MIN_LOOPED_FRAMES[windows.remainder]
    needed = clip_frames + windows.lookahead_frames
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
        is_full = len(window) == needed
        if held and (is_full or (min_looped is not None and uncovered >= min_looped)):
            yield _clip(held, index, clip_frames)
            index, held = index + 1, []
        if is_full:
            held, uncovered = list(islice(window, clip_frames)), 0
            following = window[clip_frames] if windows.lookahead_frames else None
            for _ in range(min(stride, needed)):
                window.popleft()
            skip = max(stride - needed, 0)
            if drops:
                yield _clip(held, index, clip_frames, following)
                index, held = index + 1, []
    if drops:
        return
    if held:
        joins = stride <= clip_frames and uncovered and not equal_lengths
        rest = list(window)[len(window) - uncovered :] if joins else []
        yield _clip(held + rest, index, clip_frames)
    elif window:
        yield _clip(list(window), index, clip_frames)


def clips_at(
    source: VideoSource | SourceReader, frame_indices: Sequence[Sequence[int]], **view: Unpack[View]
) -> Iterator[Clip]:
    """Yield a clip for each sequence of frame indices, each as soon as its last frame was read.

    The video is read once, up to the last frame that is needed; frames in no clip are not converted. Clips that need
    frames after the video's end are left out.

    Args:
        source: opened for this.
        frame_indices: of each clip, from 0, in any order, some perhaps more than once; at least one clip.
        **view: in which the indices count; the converter makes pixels of one shape.

    Raises:
        VideoError: the video cannot be read.
    """
    with closing(frames_at(source, required_frames(frame_indices), **view)) as wanted:
        for index, frames in select_windows(wanted, frame_indices):
            indices = frame_indices[index]
            last = frames[indices.index(max(indices))]
            pixels = np.stack([frame.pixels for frame in frames])
            end_seconds = last.pts_seconds + last.duration_seconds
            yield Clip(pixels, index, frames[0].pts_seconds, end_seconds, len(set(indices)))


def sampled_clips(reader: SourceReader, video: Video, sampling: Sampling) -> Iterator[Clip]:
    """Yield the clips of an open video; that in its centre is found by counting, and read by opening the video again.

    Args:
        reader: which has opened the video.
        video: not yet read; open with the sampling's rate and span.
        sampling: by sliding windows or the centre.

    Raises:
        VideoError: the video cannot be read, or has no centre, being live.
    """
    if isinstance(sampling.clips, SlidingWindows):
        yield from sliding_clips(video.frames_ahead(), sampling.clips)
    elif isinstance(sampling.clips, CentreClip):
        if video.live:
            raise VideoError(
                f"{video.name}: a live source has no centre; give `duration_seconds`, and take windows over all of it"
            )
        indices = sampling.clips.indices(video.count_frames())
        if indices:
            yield from clips_at(reader, [indices], fps=sampling.fps, span=sampling.span)


def _clip(frames: Sequence[Frame], index: int, clip_frames: int, following: Frame | None = None) -> Clip:
    length = max(len(frames), clip_frames)
    pixels = np.stack([frames[i % len(frames)].pixels for i in range(length)])
    last = frames[-1]
    end_seconds = last.pts_seconds + last.duration_seconds if following is None else following.pts_seconds
    return Clip(pixels, index, frames[0].pts_seconds, end_seconds, len(frames))

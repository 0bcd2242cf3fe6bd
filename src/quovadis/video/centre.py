"""The clip in the middle of a video, without holding the video in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from quovadis.errors import VideoError
from quovadis.video.clips import Clip, centre_of, clips_from_frames
from quovadis.video.reader import Video


def centre_clip(video: Video, open_again: Callable[[], Video], clip_frames: int) -> Iterator[Clip]:
    """Yield the one clip whose start is (N - clip_frames) // 2 of a video's N resampled frames, rounded down.

    The video is read twice: once to count its frames, which only decoding tells for sure, once to convert those of the
    clip. A video shorter than a clip is looped.

    Args:
        video: open, and not yet read; its report is complete afterwards.
        open_again: opens the same video anew.
        clip_frames: frames of a clip.

    Raises:
        VideoError: a live source, which has no middle.
    """
    if video.live:
        raise VideoError(f'{video.name}: a live source has no centre; give `duration_seconds` and `clip="all"`')
    total = sum(1 for _ in video.resampled())
    with open_again() as again:
        first = centre_of(total, clip_frames)
        frames = again.frames_where(lambda place: place >= first)
        yield from clips_from_frames(islice(frames, clip_frames), clip_frames=clip_frames, stride=clip_frames)

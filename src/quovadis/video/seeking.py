"""Some frames of a video, found by seeking where that gives the same frames as reading all that come before."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Unpack

import numpy as np

from quovadis.errors import VideoError
from quovadis.video.base_source import VideoSource
from quovadis.video.frames import Frame
from quovadis.video.reader import View
from quovadis.video.source_reader import SourceReader
from quovadis.video.timeline import SeekError


def frames_at(
    source: VideoSource | SourceReader, indices: Sequence[int], **view: Unpack[View]
) -> Generator[Frame, None, None]:
    """Yield the frames with these indices; those beyond the video's end are left out.

    A file whose packets tell where its frames are is read from the last key frame before each; if what comes out of the
    decoder differs from what they tell, and in all other videos, all frames up to the last one are decoded.

    Args:
        source: opened for this.
        indices: of the frames, from 0, ascending, each once.
        **view: in which the indices count.

    Raises:
        VideoError: the video cannot be read.
    """
    done = 0
    with source.open(**view) as video:
        if not video.may_seek:
            yield from video.frames_where(set(indices).__contains__)
            return
        timeline = video.timeline()
        if timeline is not None:
            try:
                for frame in video.frames_at(timeline, indices):
                    yield frame
                    done += 1
            except SeekError:
                pass
            else:
                return
    with source.open(**view) as video:
        yield from video.frames_where(set(indices[done:]).__contains__)


def chosen_frames(
    reader: SourceReader,
    choose: Callable[[int], Sequence[int]],
    count_decoded: Callable[[], int],
    **view: Unpack[View],
) -> list[Frame]:
    """Return frames that are chosen once it is known how many the video has: one opening of it where seeking works.

    Args:
        reader: of the video.
        choose: returns the indices of frames, in any order, some perhaps more than once, given their number.
        count_decoded: returns the number of frames where only decoding tells.
        **view: in which the indices count.

    Returns:
        A frame for each index, in their order; where frames are the same, the same object.

    Raises:
        VideoError: the video cannot be read, or has fewer frames than were counted.
    """
    with reader.open(**view) as video:
        timeline = video.timeline() if video.may_seek else None
        if timeline is not None:
            indices = choose(video.indexed_count(timeline))
            wanted = np.unique(indices).tolist()
            try:
                found = dict(zip(wanted, video.frames_at(timeline, wanted), strict=True))
                return [found[index] for index in indices]
            except SeekError:
                pass
    indices = choose(count_decoded())
    wanted = np.unique(indices).tolist()
    with reader.open(**view) as video:
        frames = video.frames_where(set(wanted).__contains__)
        found = dict(zip(wanted, frames, strict=False))
    if len(found) < len(wanted):
        raise VideoError(f"{reader.name}: has fewer frames than were counted; was it changed meanwhile?")
    return [found[index] for index in indices]

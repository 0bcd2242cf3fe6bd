"""Several videos as a user gives them, told apart from one video and from its frames."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

from quovadis.errors import VideoError
from quovadis.video.array import is_picture
from quovadis.video.base_source import VideoSource
from quovadis.video.sources import SourceLike
from quovadis.video.spool import BinaryFile

_ONE = (str, os.PathLike, bytes, bytearray, memoryview, BinaryFile, VideoSource, Mapping)
_VIDEO_AXES = 4
_FRAME_AXES = (2, 3)
"""Without an axis of channels, a frame is grey; an array of one axis may be one of names."""


def several_videos(sources: Iterable[SourceLike]) -> Iterable[SourceLike]:
    """Return several videos, of which nothing is taken yet.

    Raises:
        VideoError: it is one video, or a list of the frames of one; where these come one by one, from a generator, when
            the first is taken.
    """
    if is_one_video(sources) or not isinstance(sources, Iterable):
        raise VideoError("classify_many takes several videos: give a list of them, or one to classify")
    if isinstance(sources, Sequence):
        if sources and all(map(_is_frame, sources)):
            raise _frames_error()
        return sources
    return _checked(iter(sources))


def listed_videos(sources: Iterable[SourceLike] | None) -> list[SourceLike]:
    """Return videos as a list, which is empty where none are given, and may be given as one."""
    if sources is None:
        return []
    return [sources] if is_one_video(sources) else list(sources)


def is_one_video(given: object) -> bool:
    """Tell whether something is one video; what is iterable and none may be several."""
    return isinstance(given, _ONE) or getattr(given, "ndim", 1) in (0, *_FRAME_AXES, _VIDEO_AXES)


def _checked(sources: Iterator[SourceLike]) -> Iterator[SourceLike]:
    for first in sources:
        if _is_frame(first):
            raise _frames_error()
        yield from chain([first], sources)


def _is_frame(given: object) -> bool:
    return is_picture(given) or getattr(given, "ndim", 1) in _FRAME_AXES


def _frames_error() -> VideoError:
    return VideoError("classify_many takes several videos, and these are the frames of one: give [frames], or classify")

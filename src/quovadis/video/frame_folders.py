"""Folders of extracted frames, as Open Model Zoo and the tools around 3D-ResNets have them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from quovadis.errors import VideoError
from quovadis.escape import counted, there_are
from quovadis.limits import VideoLimits
from quovadis.video.images import is_image_name
from quovadis.video.series import FrameSeries, frame_series

COUNT_NAME = "n_frames"
"""File in the folder that says how many frames there are."""
_FRAME_PREFIX = "image_"
_FRAME_NAME = _FRAME_PREFIX + "{:05d}.jpg"
"""Of extracted frames, numbered from 1 (Open Model Zoo's `action_recognition.py`)."""


def has_frames(folder: Path) -> bool:
    """Tell whether a folder has anything to offer: images, and no `n_frames` that says 0 or less.

    What cannot be told without reading more is left to `extracted_frames`, and counts as frames here.
    """
    try:
        names = [path.name for path in folder.iterdir()]
        if COUNT_NAME in names and _declared(folder) <= 0:
            return False
    except (OSError, VideoError):
        return True
    return any(is_image_name(name) for name in names)


def extracted_frames(folder: Path, limits: VideoLimits | None = None, *, allow_partial: bool = False) -> FrameSeries:
    """Return the frames in a folder, in order.

    They are `image_00001.jpg` and on, as many as a file `n_frames` says or as there are; without such names, the series
    that `frame_series` finds.

    Args:
        folder: of one video.
        limits: the most frames to accept; None: the defaults.
        allow_partial: name frames too that `n_frames` promises and that are not there.

    Raises:
        VideoError: there are none, fewer than `n_frames` says, or it is no number.
        VideoLimitError: `n_frames` says more than the limits admit.
    """
    try:
        names = {path.name for path in folder.iterdir()}
        if COUNT_NAME in names:
            count = _declared(folder)
        elif _FRAME_NAME.format(1) in names:
            # The checker counts all that ends in `.jpg`, which other series beside this one would make too many.
            count = sum(name.endswith(".jpg") and name.startswith(_FRAME_PREFIX) for name in names)
        elif (series := frame_series(folder)).paths:
            return series
        else:
            count = 0
    except OSError as error:
        raise VideoError(f"{error.filename or folder}: cannot be read: {error.strerror}") from error
    if count <= 0:
        raise VideoError(f"{folder}: no frames in it; give {_FRAME_NAME.format(1)} and on")
    limits = limits or VideoLimits()
    if count > limits.max_frames:
        raise limits.exceeded(str(folder), f"it has {count:,} frames, more", "max_frames")
    wanted = [_FRAME_NAME.format(number) for number in range(1, count + 1)]
    absent = [name for name in wanted if name not in names]
    if absent and not allow_partial:
        there = f"{COUNT_NAME} says {counted(count, 'frame')}" if COUNT_NAME in names else there_are(count, "image")
        raise VideoError(
            f"{folder}: {there}, but {absent[0]} is not there; extract them again, or `allow_partial=True` "
            "passes over it"
        )
    others = sum(is_image_name(name) for name in names - set(wanted))
    left = f"frames are {_FRAME_PREFIX}*.jpg; left out: {others} other {'picture' if others == 1 else 'pictures'}"
    return FrameSeries([folder / name for name in wanted], (left,) if others else ())


def select_frames(
    folder: Path, paths: Sequence[Path], span: range, limits: VideoLimits, *, allow_partial: bool = False
) -> list[Path]:
    """Return some of a folder's frames.

    Args:
        folder: for messages.
        paths: all its frames, in order.
        span: which of them, from 0, one after the other.
        limits: the most frames to accept.
        allow_partial: stand in for frames that are not there with names of no file, which reading counts as damaged.

    Raises:
        VideoError: there are fewer frames.
        VideoLimitError: the span is longer than the limits admit.
    """
    if len(span) > limits.max_frames:
        raise limits.exceeded(str(folder), f"{len(span):,} frames are wanted, more", "max_frames")
    selected = list(paths[span.start : span.stop])
    missing = len(span) - len(selected)
    if missing and not allow_partial:
        raise VideoError(
            f"{folder}: {there_are(len(paths), 'frame')} in it, but the list names frames {span.start + 1:,} to "
            f"{span.stop:,}; extract them again, correct the list, or `allow_partial=True` takes those that are there"
        )
    return selected + [folder / f"frame {number} of the list" for number in range(span.stop - missing, span.stop)]


def _declared(folder: Path) -> int:
    path = folder / COUNT_NAME
    try:
        return int(path.read_text(encoding="utf-8").split()[0])
    except (ValueError, IndexError) as error:
        raise VideoError(f"{path}: not a number of frames; fix it or remove it") from error

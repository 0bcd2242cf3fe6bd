"""A stretch of a folder's frames, as lists of frame folders name it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from quovadis.errors import VideoError
from quovadis.video import VideoLimits


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
        raise limits.exceeded(str(folder), f"{len(span):,} frames are", "max_frames")
    selected = list(paths[span.start : span.stop])
    missing = len(span) - len(selected)
    if missing and not allow_partial:
        raise VideoError(
            f"{folder}: there are {len(paths):,} frames in it, but the list names frames {span.start + 1:,} to "
            f"{span.stop:,}; extract them again, correct the list, or `allow_partial=True` takes those that are there"
        )
    return selected + [folder / f"frame {number} of the list" for number in range(span.stop - missing, span.stop)]

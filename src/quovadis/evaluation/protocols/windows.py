"""Clips by the numbers of their frames, as protocols that look at several parts of a video have them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from quovadis.evaluation.footage import Footage
from quovadis.video.geometry import Converter
from quovadis.video.windows import Window, required_frames, select_windows


def read_windows(
    footage: Footage,
    windows: Sequence[Sequence[int]],
    *,
    fps: float | Literal["native"],
    converter: Callable[[], Converter],
) -> Iterator[Window]:
    """Yield windows of a video's frames, converting no frame that is in none of them.

    Raises:
        VideoError: the video cannot be read.
    """
    wanted = set(required_frames(windows))
    with footage.open(fps=fps, converter=converter) as video:
        yield from select_windows(footage.watch(video.frames_where(wanted.__contains__)), windows)

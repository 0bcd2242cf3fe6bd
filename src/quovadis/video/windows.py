"""Windows of frames named by their indices, taken from a video that is read once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from quovadis.video.frames import Frame


class Window(NamedTuple):
    """Frames that were asked for together."""

    number: int
    """Which of the windows that were asked for, from 0."""
    frames: list[Frame]


def required_frames(windows: Iterable[Sequence[int]]) -> list[int]:
    """Return the indices of all frames in any window, ascending."""
    return sorted(set().union(*windows))


def select_windows(frames: Iterable[Frame], windows: Sequence[Sequence[int]]) -> Iterator[Window]:
    """Yield each window as soon as its last frame has come, and keep no frame longer than a window needs it.

    Args:
        frames: those of `required_frames`, in order; fewer leave the windows out that need the others.
        windows: indices of frames, in any order, some perhaps more than once.
    """
    pending = sorted(range(len(windows)), key=lambda index: max(windows[index]))
    first_needed = [0] * len(pending)
    earliest = None
    for rank in reversed(range(len(pending))):
        lowest = min(windows[pending[rank]])
        earliest = lowest if earliest is None else min(earliest, lowest)
        first_needed[rank] = earliest
    held: dict[int, Frame] = {}
    done = 0
    for frame_index, frame in zip(required_frames(windows), frames, strict=False):
        held[frame_index] = frame
        while done < len(pending) and max(windows[pending[done]]) <= frame_index:
            window = windows[pending[done]]
            yield Window(pending[done], [held[i] for i in window])
            done += 1
            if done < len(pending):
                held = {i: other for i, other in held.items() if i >= first_needed[done]}

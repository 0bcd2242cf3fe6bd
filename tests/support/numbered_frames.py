"""Frames that tell their own number, and videos whose brightness does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from quovadis.video import Frame
from support.synthetic import write_video


def numbered_frames(count: int, *, seconds: Sequence[float] | None = None) -> list[Frame]:
    """Frames of one pixel, which is their number, at 25 a second or at certain times."""
    times = [i / 25 for i in range(count)] if seconds is None else seconds
    return [Frame(np.full((1, 1, 3), i, np.int32), times[i], 0.04) for i in range(count)]


def numbers(clip: NDArray[np.int32]) -> list[int]:
    """Return which of the numbered frames are in a clip."""
    return [int(number) for number in clip[:, 0, 0, 0]]


def write_gray(path: Path, frames: int, first: int = 20) -> Path:
    """Write a small video that becomes brighter by a level a frame."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = (np.full((48, 64, 3), first + i, np.uint8) for i in range(frames))
    return write_video(path, pictures, options={"crf": "8"})

"""Frames in memory, treated as a video's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

from quovadis.errors import VideoError
from quovadis.video.decoder import VideoReport
from quovadis.video.frames import DecodedFrame
from quovadis.video.orientation import UPRIGHT


class ArrayDecoder:
    """Frames that need no decoding; offers what `decoder.Decoder` does."""

    live = False
    first_seconds = Fraction(0)

    def __init__(self, frames: Iterable[NDArray[np.uint8]], fps: float, first: int = 0) -> None:
        """Take the frames.

        Args:
            frames: RGB, uint8 0..255, each of shape height, width, 3: an array of them, or any iterable.
            fps: frames a second, for their times.
            first: index of the first frame, for its time.
        """
        self._frames = frames
        self._rate = Fraction(fps)
        self._first = first
        self.frame_count = len(frames) if isinstance(frames, np.ndarray) else None
        self.report = VideoReport()

    @property
    def duration_seconds(self) -> float | None:
        """When the last frame of an array ends; None for an iterable."""
        return None if self.frame_count is None else float((self._first + self.frame_count) / self._rate)

    @property
    def frames_per_second(self) -> float:
        """The rate of the frames."""
        return float(self._rate)

    def close(self) -> None:
        """Do nothing: no file is open."""

    def frames(self) -> Iterator[DecodedFrame]:
        """Yield every frame as it is asked for.

        Raises:
            VideoError: a frame has another dtype or shape.
        """
        for index, pixels in enumerate(self._frames, start=self._first):
            check_array(np.asarray(pixels)[np.newaxis])
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            self.report.frames_decoded += 1
            yield DecodedFrame(frame, Fraction(1), UPRIGHT, index / self._rate, 1 / self._rate)


def check_array(frames: NDArray[np.uint8]) -> None:
    """Refuse arrays that are no frames.

    Raises:
        VideoError: with what was given and what is wanted.
    """
    wanted = "uint8 RGB of shape frames, height, width, 3"
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3:
        raise VideoError(f"frames in memory must be {wanted}, not {frames.dtype} of shape {frames.shape}")
    if 0 in frames.shape:
        raise VideoError(f"frames in memory must be {wanted}; this array, of shape {frames.shape}, is empty")

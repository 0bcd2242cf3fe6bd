"""Frames in memory, treated as a video's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import FRAME_SIZE
from quovadis.errors import VideoError
from quovadis.video.frames import Frame
from quovadis.video.geometry import Converter, FrameConverter


def array_frames(
    frames: NDArray[np.uint8], *, fps: float, first: int = 0, converter: Callable[[], Converter] | None = None
) -> Iterator[Frame]:
    """Yield the frames of an array, scaled and cropped as a file's would be.

    Args:
        frames: RGB, uint8 0..255, shape frames, height, width, 3.
        fps: frames a second, for their times.
        first: number of the first frame, for its time.
        converter: makes what scales and crops; None: the usual way, in which frames of 224x224 are views of the array.

    Raises:
        VideoError: an array of another dtype or shape, or without frames.
    """
    check_array(frames)
    convert = (converter or FrameConverter)().convert
    for place, pixels in enumerate(frames, start=first):
        if converter is None and pixels.shape[:2] == (FRAME_SIZE, FRAME_SIZE):
            ready = np.ascontiguousarray(pixels)
        else:
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            ready = convert(picture, Fraction(1))
        yield Frame(ready, place / fps, 1 / fps)


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

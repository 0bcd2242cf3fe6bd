"""Conversions of other tools, pixel for pixel: what published figures were measured with."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, cast

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from quovadis.architecture import FRAME_SIZE
from quovadis.video.bilinear import CoordinateMode, resize
from quovadis.video.geometry import centre_slice, check_shape, reformat
from quovadis.video.orientation import UPRIGHT, Orientation

LONG_SIDE = 256
"""Pixels of the longer side in Open Model Zoo's definition for this model (`accuracy-check.yml`)."""


class _Upright:
    """Gives whole pictures as RGB, upright."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def pixels(self, frame: av.VideoFrame, orientation: Orientation) -> NDArray[np.uint8]:
        check_shape(frame.width, frame.height)
        same = reformat(self._reformatter, frame, frame.width, frame.height, "rgb24")
        return orientation.apply(cast("NDArray[np.uint8]", same.to_ndarray()))


class OpenModelZooConverter:
    """The longer side to 256 pixels, and the central 224x224, after Open Model Zoo's accuracy checker.

    Its `resize` (`fit_to_window`: OpenCV's bilinear without antialiasing, sizes truncated, an 8-bit result) and its
    `crop`, which first scales up what is smaller than 224 on a side, to floats. OpenCV rounds its weights to 11 bits,
    so that the first result may differ from it by one level.
    """

    def __init__(self) -> None:
        self._upright = _Upright()

    def convert(self, frame: av.VideoFrame, aspect_ratio: Fraction, orientation: Orientation = UPRIGHT) -> NDArray[Any]:
        """Return RGB, float32 0..255, shape 224, 224, 3; the aspect ratio of samples is not looked at.

        Raises:
            VideoError: the frame is too narrow, or FFmpeg cannot convert its format.
        """
        pixels: NDArray[Any] = self._upright.pixels(frame, orientation)
        height, width = pixels.shape[:2]
        # In floating point, as the original: the product may fall short of 256.
        scale = min(LONG_SIDE / height, LONG_SIDE / width)
        pixels = np.rint(resize(pixels, max(int(scale * height), 1), max(int(scale * width), 1)))
        width, height = enlarged_size(pixels.shape[1], pixels.shape[0])
        rows, columns = centre_slice(height, FRAME_SIZE), centre_slice(width, FRAME_SIZE)
        if (height, width) == pixels.shape[:2]:
            return np.ascontiguousarray(pixels[rows, columns])
        return np.ascontiguousarray(resize(pixels, height, width, columns=columns)[rows])


def enlarged_size(width: int, height: int) -> tuple[int, int]:
    """Return width and height of a picture of at least 224 pixels on each side, in proportion, rounded up."""
    size = np.array([width, height])
    for axis in range(2):
        if size[axis] < FRAME_SIZE:
            size = size * FRAME_SIZE / size[axis]
    wide, high = np.ceil(size).astype(int)
    return int(wide), int(high)


class StretchConverter:
    """All of the picture stretched to 224x224 whatever its shape, as Fréchet Video Distance has it."""

    def __init__(self, centres: CoordinateMode = "asymmetric") -> None:
        """Choose where output pixels look."""
        self._centres: CoordinateMode = centres
        self._upright = _Upright()

    def convert(self, frame: av.VideoFrame, aspect_ratio: Fraction, orientation: Orientation = UPRIGHT) -> NDArray[Any]:
        """Return RGB, float32 0..255, shape 224, 224, 3.

        Raises:
            VideoError: the frame is too narrow, or FFmpeg cannot convert its format.
        """
        return resize(self._upright.pixels(frame, orientation), FRAME_SIZE, FRAME_SIZE, self._centres)

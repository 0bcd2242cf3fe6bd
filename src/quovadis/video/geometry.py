"""From a decoded frame to the network's pixels: upright, undistorted, short side 256, central 224x224, RGB."""

from __future__ import annotations

from fractions import Fraction
from typing import cast

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from quovadis.architecture import FRAME_SIZE
from quovadis.errors import VideoError
from quovadis.video.orientation import UPRIGHT, Orientation

SHORT_SIDE = 256
"""Pixels of the short side before the centre is cut out (paper, section 4; kinetics-i3d's README)."""
LARGEST_RATIO = 16
"""Longest side over shortest; what is longer would be scaled to a picture of no use and any size."""

_SCALING = (
    Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
)


def scaled_size(width: int, height: int, aspect_ratio: Fraction) -> tuple[int, int]:
    """Return width and height, of the stored picture, that make its short side as displayed 256 pixels.

    Pictures of exactly 224x224 keep their size: they have been prepared before, as the original's sample.

    Raises:
        VideoError: one side is more than 16 times the other.
    """
    if (width, height) == (FRAME_SIZE, FRAME_SIZE) and aspect_ratio == 1:
        return width, height
    display_width = width * aspect_ratio
    short = min(display_width, Fraction(height))
    longest = max(display_width, Fraction(height))
    if longest > LARGEST_RATIO * short:
        raise VideoError(
            f"a frame of {width}x{height} pixels with an aspect ratio of {float(longest / short):.0f}:1 is no picture "
            f"of an action: crop the video to less than {LARGEST_RATIO}:1"
        )
    scale = SHORT_SIDE / short
    return round(display_width * scale), round(height * scale)


_PLANAR = "gbrp"


class FrameConverter:
    """Turns decoded frames of any size and format into the network's pixels; one for each video."""

    def __init__(self) -> None:
        # Kept from frame to frame: setting up a scaler costs more than using it.
        self._reformatter = VideoReformatter()

    def convert(
        self, picture: av.VideoFrame, aspect_ratio: Fraction, orientation: Orientation = UPRIGHT
    ) -> NDArray[np.uint8]:
        """Return RGB, uint8 0..255, shape 224, 224, 3, contiguous.

        Colours follow the frame's own range and matrix; where the matrix is not stated BT.601 is taken, as FFmpeg and
        OpenCV do. Alpha is dropped.

        Raises:
            VideoError: the picture is too narrow, or FFmpeg cannot convert its format.
        """
        width, height = scaled_size(picture.width, picture.height, aspect_ratio)
        # FFmpeg converts YUV to planes of colours in half the time that it takes for pixels, to the same values.
        target = _PLANAR if picture.format.name.startswith(("yuv", "nv")) else "rgb24"
        try:
            scaled = self._reformatter.reformat(
                picture, width, height, target, interpolation=_SCALING, dst_color_range="JPEG", threads=1
            )
        except av.FFmpegError as error:
            raise VideoError(
                f"frames of the format {picture.format.name} cannot be converted: {error.strerror}"
            ) from error
        # Scaled before it is turned: turning is cheap on a small picture.
        top, left = (height - FRAME_SIZE) // 2, (width - FRAME_SIZE) // 2
        rows, columns = slice(top, top + FRAME_SIZE), slice(left, left + FRAME_SIZE)
        if target == _PLANAR:
            green, blue, red = (_plane(scaled, index)[rows, columns] for index in range(3))
            pixels = np.stack((red, green, blue), axis=-1)
        else:
            pixels = cast("NDArray[np.uint8]", scaled.to_ndarray())[rows, columns]
        return np.ascontiguousarray(orientation.apply(pixels))


def _plane(picture: av.VideoFrame, index: int) -> NDArray[np.uint8]:
    plane = picture.planes[index]
    pixels = np.frombuffer(cast("memoryview[int]", plane), np.uint8)
    return pixels.reshape(plane.height, plane.line_size)

"""From a decoded frame to the network's pixels: upright, undistorted, short side 256, central 224x224, RGB."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, Protocol, cast

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from quovadis.architecture import FRAME_SIZE
from quovadis.errors import ArchitectureError, VideoError
from quovadis.fields import check_fields
from quovadis.video.orientation import UPRIGHT, Orientation

SHORT_SIDE = 256
"""Pixels of the short side before the centre is cut out (paper, section 4; kinetics-i3d's README)."""
LARGEST_RATIO = 16
"""Longest side over shortest; what is longer would be scaled to a picture of no use and any size."""

_SCALING = (
    Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
)


class Converter(Protocol):
    """Turns decoded frames into pixels; one for each video, because it keeps what it has set up."""

    def convert(self, frame: av.VideoFrame, aspect_ratio: Fraction, orientation: Orientation = UPRIGHT) -> NDArray[Any]:
        """Return RGB, uint8 or float32 0..255, shape height, width, 3, contiguous.

        Args:
            frame: as the decoder gives it.
            aspect_ratio: width of a sample over its height.
            orientation: how the frame has to be turned to be upright.

        Raises:
            VideoError: the frame is too narrow, or FFmpeg cannot convert its format.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """How a picture is scaled to a short side of so many pixels, and cut."""

    short_side: int = SHORT_SIDE
    """Pixels of the short side as displayed, before the cut."""
    crop: int | None = FRAME_SIZE
    """Side of the square that is cut out of the centre; None keeps the whole picture."""
    long_side: Literal["nearest", "down"] = "nearest"
    """How the length of the other side is made whole."""
    keep_224: bool = True
    """Whether pictures of exactly 224x224 keep their size: they have been prepared before, as the original's sample."""
    ignore_sample_aspect_ratio: bool = False
    """Whether samples are taken for square, as tools do that do not read the aspect ratio."""

    def __post_init__(self) -> None:
        check_fields(self, ArchitectureError)


def scaled_size(width: int, height: int, aspect_ratio: Fraction, geometry: Geometry | None = None) -> tuple[int, int]:
    """Return width and height, of the stored frame, that make its short side as displayed as long as the geometry says.

    Raises:
        VideoError: one side is more than 16 times the other.
    """
    geometry = geometry or Geometry()
    if geometry.keep_224 and (width, height) == (FRAME_SIZE, FRAME_SIZE) and aspect_ratio == 1:
        return width, height
    check_shape(width, height, aspect_ratio)
    display_width = width * aspect_ratio
    scale = geometry.short_side / min(display_width, Fraction(height))
    whole = round if geometry.long_side == "nearest" else int
    return whole(display_width * scale), whole(height * scale)


def check_shape(width: int, height: int, aspect_ratio: Fraction = Fraction(1)) -> None:
    """Refuse pictures that are too narrow.

    Raises:
        VideoError: one side is more than 16 times the other.
    """
    shorter, longer = sorted((width * aspect_ratio, Fraction(height)))
    if longer > LARGEST_RATIO * shorter:
        raise VideoError(
            f"a frame of {width}x{height} pixels with an aspect ratio of {float(longer / shorter):.0f}:1 is no picture "
            f"of an action: crop the video to less than {LARGEST_RATIO}:1"
        )


_PLANAR = "gbrp"


class FrameConverter:
    """Turns decoded frames of any size and format into the network's pixels; one for each video."""

    def __init__(self, geometry: Geometry | None = None) -> None:
        self._geometry = geometry or Geometry()
        # Kept from frame to frame: setting up a scaler costs more than using it.
        self._reformatter = VideoReformatter()

    def convert(
        self, frame: av.VideoFrame, aspect_ratio: Fraction, orientation: Orientation = UPRIGHT
    ) -> NDArray[np.uint8]:
        """Return RGB, uint8 0..255, shape 224, 224, 3 unless the geometry says otherwise, contiguous.

        Colours follow the frame's own range and matrix; where the matrix is not stated BT.601 is taken, as FFmpeg and
        OpenCV do. Alpha is dropped.

        Raises:
            VideoError: the frame is too narrow, or FFmpeg cannot convert its format.
        """
        ratio = Fraction(1) if self._geometry.ignore_sample_aspect_ratio else aspect_ratio
        width, height, rows, columns = self._layout(frame.width, frame.height, ratio, orientation)
        # FFmpeg converts YUV to planes of colours in half the time that it takes for pixels, to the same values.
        target = _PLANAR if frame.format.name.startswith(("yuv", "nv")) else "rgb24"
        scaled = reformat(self._reformatter, frame, width, height, target)
        # Scaled and cut before it is turned: turning is cheap on a small picture.
        if target == _PLANAR:
            green, blue, red = (_plane(scaled, index)[rows, columns] for index in range(3))
            pixels = np.stack((red, green, blue), axis=-1)
        else:
            pixels = cast("NDArray[np.uint8]", scaled.to_ndarray())[rows, columns]
        return np.ascontiguousarray(orientation.apply(pixels))

    def _layout(
        self, width: int, height: int, aspect_ratio: Fraction, orientation: Orientation
    ) -> tuple[int, int, slice, slice]:
        """Return width and height that the stored frame is scaled to, and the rows and columns that are cut out."""
        width, height = scaled_size(width, height, aspect_ratio, self._geometry)
        rows, columns = (
            centre_slice(size, self._geometry.crop or size, mirrored=mirrored)
            for size, mirrored in zip((height, width), orientation.mirrors_stored, strict=True)
        )
        return width, height, rows, columns


def centre_slice(size: int, crop: int, *, mirrored: bool = False) -> slice:
    """Return where `crop` pixels in the middle of `size` lie.

    Of an odd rest the smaller half comes first as the picture is shown: at the end where the axis is mirrored for that.
    """
    first = (size - crop + mirrored) // 2
    return slice(first, first + crop)


def reformat(
    reformatter: VideoReformatter,
    frame: av.VideoFrame,
    width: int,
    height: int,
    target: str,
    interpolation: Interpolation = _SCALING,
) -> av.VideoFrame:
    """Scale a picture and convert its colours to full range, by the picture's own range and matrix.

    Args:
        reformatter: kept from frame to frame.
        frame: as the decoder gives it.
        width: of the result, in pixels.
        height: of the result, in pixels.
        target: FFmpeg's name of the pixel format.
        interpolation: how FFmpeg scales, halved colours too where the size stays.

    Raises:
        VideoError: FFmpeg cannot convert its format.
    """
    try:
        return reformatter.reformat(
            frame, width, height, target, interpolation=interpolation, dst_color_range="JPEG", threads=1
        )
    except av.FFmpegError as error:
        raise VideoError(f"frames of the format {frame.format.name} cannot be converted: {error.strerror}") from error


def _plane(frame: av.VideoFrame, index: int) -> NDArray[np.uint8]:
    plane = frame.planes[index]
    pixels = np.frombuffer(cast("memoryview[int]", plane), np.uint8)
    return pixels.reshape(plane.height, plane.line_size)

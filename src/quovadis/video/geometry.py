"""From a decoded frame to the network's pixels: upright, undistorted, short side 256, central 224x224, RGB."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple, cast

import av
import av.filter
import numpy as np
from av.sidedata.sidedata import SideData, Type
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from quovadis.architecture import FRAME_SIZE
from quovadis.errors import VideoError

SHORT_SIDE = 256
"""Pixels of the short side before the centre is cut out (paper, section 4; kinetics-i3d's README)."""
LARGEST_RATIO = 16
"""Longest side over shortest; what is longer would be scaled to a picture of no use and any size."""

_SCALING = (
    Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
)


_UNKNOWN_SIDE_DATA = range(len(Type), 48)
"""Numbers of `AVFrameSideDataType` (libavutil/frame.h) that are newer than PyAV's list."""


class Orientation(NamedTuple):
    """How a stored picture is turned for display: transposed first, then mirrored."""

    transpose: bool = False
    mirror_rows: bool = False
    """Top and bottom swapped."""
    mirror_columns: bool = False
    """Left and right swapped."""

    def apply(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a view of `pixels`, shape height, width, 3, as it is to be shown."""
        if self.transpose:
            pixels = pixels.transpose(1, 0, 2)
        if self.mirror_rows:
            pixels = pixels[::-1]
        return pixels[:, ::-1] if self.mirror_columns else pixels


UPRIGHT = Orientation()


def read_orientation(picture: av.VideoFrame) -> Orientation:
    """Return the orientation that the frame's display matrix asks for, to the nearest quarter turn.

    The matrix is nine 32-bit numbers in rows (libavutil/display.h): a point (x, y) of the stored picture is shown at
    (a x + c y, b x + d y), so all eight orientations, mirrored ones too, are told by the signs of a, b, c and d.
    """
    matrix = next((data for data in _side_data(picture) if data.type is Type.DISPLAYMATRIX), None)
    if matrix is None:
        return UPRIGHT
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(matrix)[:36])
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(mirror_rows=d < 0, mirror_columns=a < 0)
    return Orientation(transpose=True, mirror_rows=b < 0, mirror_columns=c < 0)


def _side_data(picture: av.VideoFrame) -> Iterable[SideData]:
    try:
        container = picture.side_data
    except ValueError:
        # PyAV 18 cannot list the side data of a frame that has a kind it does not know, as JPEG's EXIF. FFmpeg's own
        # filter takes those kinds away.
        container = _without_unknown_side_data(picture).side_data
    # PyAV's stubs take the container for a mapping of names; iterating yields the data itself.
    return cast("Iterable[SideData]", container)


def _without_unknown_side_data(picture: av.VideoFrame) -> av.VideoFrame:
    graph = av.filter.Graph()
    last = graph.add_buffer(
        width=picture.width, height=picture.height, format=picture.format, time_base=picture.time_base
    )
    for kind in _UNKNOWN_SIDE_DATA:
        removal = graph.add("sidedata", f"mode=delete:type={kind}")
        last.link_to(removal)
        last = removal
    last.link_to(graph.add("buffersink"))
    graph.configure()
    graph.push(picture)
    return cast(av.VideoFrame, graph.pull())


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


class FrameConverter:
    """Turns decoded frames of any size and format into the network's pixels; one for each video."""

    def __init__(self) -> None:
        # Kept from frame to frame: setting up a scaler costs more than using it.
        self._reformatter = VideoReformatter()

    def convert(self, picture: av.VideoFrame, aspect_ratio: Fraction) -> NDArray[np.uint8]:
        """Return RGB, uint8 0..255, shape 224, 224, 3, contiguous.

        Colours follow the frame's own range and matrix; where the matrix is not stated BT.601 is taken, as FFmpeg and
        OpenCV do. Alpha is dropped.

        Raises:
            VideoError: the picture is too narrow, or FFmpeg cannot convert its format.
        """
        width, height = scaled_size(picture.width, picture.height, aspect_ratio)
        try:
            scaled = self._reformatter.reformat(
                picture, width, height, "rgb24", interpolation=_SCALING, dst_color_range="JPEG", threads=1
            )
        except av.FFmpegError as error:
            raise VideoError(
                f"frames of the format {picture.format.name} cannot be converted: {error.strerror}"
            ) from error
        # Scaled before it is turned: turning is cheap on a small picture.
        top, left = (height - FRAME_SIZE) // 2, (width - FRAME_SIZE) // 2
        whole = cast("NDArray[np.uint8]", scaled.to_ndarray())
        pixels = whole[top : top + FRAME_SIZE, left : left + FRAME_SIZE]
        return np.ascontiguousarray(read_orientation(picture).apply(pixels))

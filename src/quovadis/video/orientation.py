"""How a picture was held: the display matrix that cameras write, as turns and mirrors."""

from __future__ import annotations

import struct
from fractions import Fraction
from typing import NamedTuple, cast

import av
import av.filter
import numpy as np
from av.sidedata.sidedata import SideData, Type
from numpy.typing import NDArray

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

    @property
    def mirrors_stored(self) -> tuple[bool, bool]:
        """Whether the rows, and whether the columns, of the stored picture are shown in reverse order."""
        return (self.mirror_columns, self.mirror_rows) if self.transpose else (self.mirror_rows, self.mirror_columns)


UPRIGHT = Orientation()


def read_orientation(frame: av.VideoFrame) -> Orientation:
    """Return the orientation that the frame's display matrix asks for, to the nearest quarter turn.

    The matrix is nine 32-bit numbers in rows (libavutil/display.h): a point (x, y) of the stored picture is shown at
    (a x + c y, b x + d y), so all eight orientations, mirrored ones too, are told by the signs of a, b, c and d.
    """
    # By name: iterating yields the data in PyAV 18, and their kinds in PyAV 19.
    try:
        matrix = cast("SideData | None", _miniature(frame).side_data.get(Type.DISPLAYMATRIX.name))
    except av.FFmpegError:
        # Colours that FFmpeg cannot convert: the converter refuses the frame, and says so.
        return UPRIGHT
    if matrix is None:
        return UPRIGHT
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(matrix)[:36])
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(mirror_rows=d < 0, mirror_columns=a < 0)
    return Orientation(transpose=True, mirror_rows=b < 0, mirror_columns=c < 0)


def _miniature(frame: av.VideoFrame) -> av.VideoFrame:
    """Return a tiny copy with the side data that PyAV knows.

    PyAV 18 never frees a frame whose side data was looked at, and cannot look at that of a frame which has a kind it
    does not know, such as EXIF. So what is looked at is a copy of no size, without those kinds.
    """
    graph = av.filter.Graph()
    # Pictures out of image files may come without a time base, which the filter does not go without.
    time_base = frame.time_base or Fraction(1, 1000)
    last = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=time_base)
    removals = [("sidedata", f"mode=delete:type={kind}") for kind in _UNKNOWN_SIDE_DATA]
    for name, arguments in [*removals, ("scale", "16:16:flags=neighbor"), ("buffersink", "")]:
        following = graph.add(name, arguments or None)
        last.link_to(following)
        last = following
    graph.configure()
    graph.push(frame)
    return cast(av.VideoFrame, graph.pull())

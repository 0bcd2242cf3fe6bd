"""The pixels of tools that read frames with OpenCV and scale them with Pillow, as torchvision's transforms do."""

from __future__ import annotations

from fractions import Fraction
from typing import cast

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray
from PIL import Image

from quovadis.video.geometry import Geometry, centre_slice, check_shape, reformat, scaled_size
from quovadis.video.orientation import UPRIGHT, Orientation


class PillowConverter:
    """Converts colours as OpenCV's `VideoCapture` does, and scales with Pillow's antialiased bilinear filter.

    Both come out to the bit. One for each video, because it keeps what it has set up.
    """

    def __init__(self, geometry: Geometry | None = None) -> None:
        """Choose how frames are scaled and cut."""
        self._geometry = geometry or Geometry()
        self._reformatter = VideoReformatter()

    def convert(
        self, frame: av.VideoFrame, aspect_ratio: Fraction, orientation: Orientation = UPRIGHT
    ) -> NDArray[np.uint8]:
        """Return RGB, uint8 0..255, shape 224, 224, 3 unless the geometry says otherwise, contiguous.

        Raises:
            VideoError: the frame is too narrow, or FFmpeg cannot convert its format.
        """
        # Before anything is allocated for it.
        check_shape(frame.width, frame.height)
        # OpenCV asks FFmpeg for BGR and bicubic interpolation, which shows where chroma has to be interpolated; RGB is
        # up to 4 levels away from it for such formats, and bilinear interpolation over 100.
        bgr = reformat(self._reformatter, frame, frame.width, frame.height, "bgr24", Interpolation.BICUBIC)
        # Turned before it is scaled, as OpenCV does: Pillow scales columns after rows, and rounds in between.
        pixels = np.ascontiguousarray(orientation.apply(cast("NDArray[np.uint8]", bgr.to_ndarray())))
        ratio = Fraction(1) if self._geometry.ignore_sample_aspect_ratio else aspect_ratio
        height, width = pixels.shape[:2]
        size = scaled_size(width, height, 1 / ratio if orientation.transpose else ratio, self._geometry)
        scaled = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))
        rows, columns = (centre_slice(length, self._geometry.crop or length) for length in scaled.shape[:2])
        # Channels are scaled one by one, so that they may change places at the end, where the picture is small.
        return np.ascontiguousarray(scaled[rows, columns, ::-1])

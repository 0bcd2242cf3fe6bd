"""One square cut out of every frame of a clip, anywhere in it, of any share of it, mirrored perhaps: for training."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import sqrt
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import FRAME_SIZE
from quovadis.video.geometry import SHORT_SIDE, FrameConverter, Geometry, check_shape, scaled_size
from quovadis.video.orientation import UPRIGHT, Orientation


@dataclass(frozen=True, kw_only=True)
class CropView:
    """Where the square is, relative to the frame, so that it holds for frames of any size."""

    short_side: int = SHORT_SIDE
    """Pixels of the frame's short side before the cut; at least `size`. Plays no part where `area` is given."""
    size: int = FRAME_SIZE
    """Side of the square, in pixels of the result."""
    top: float = 0.5
    """Share of the rest of the height that lies above the square, 0..1."""
    left: float = 0.5
    """Share of the rest of the width that lies to the left of the square, 0..1."""
    area: float | None = None
    """Share of the frame's area that is cut out and scaled to the square, above 0, up to 1; None: the frame is scaled
    to its short side, and the square is cut out of that."""
    proportion: float = 1.0
    """Width over height of what is cut out by `area`."""
    mirrored: bool = False
    """Whether left and right are swapped."""


class CropViewConverter(FrameConverter):
    """Turns decoded frames into a view of them; one for each video."""

    def __init__(self, view: CropView) -> None:
        """Choose the view."""
        super().__init__(Geometry(short_side=view.short_side, crop=view.size, keep_224=False))
        self._view = view

    def convert(self, frame: av.VideoFrame, aspect_ratio: Fraction, orientation: Orientation = UPRIGHT) -> NDArray[Any]:
        """Return RGB, uint8 0..255, shape size, size, 3, contiguous.

        Raises:
            VideoError: the frame is too narrow, or FFmpeg cannot convert its format.
        """
        pixels = super().convert(frame, aspect_ratio, orientation)
        return np.ascontiguousarray(pixels[:, ::-1]) if self._view.mirrored else pixels

    def _layout(
        self, width: int, height: int, aspect_ratio: Fraction, orientation: Orientation
    ) -> tuple[int, int, slice, slice]:
        if self._view.area is None:
            width, height = scaled_size(width, height, aspect_ratio, self._geometry)
        else:
            check_shape(width, height, aspect_ratio)
            shown = self._scaled_by_area(float(width * aspect_ratio), float(height), orientation)
            width, height = shown[::-1] if orientation.transpose else shown
        # Of the rows and the columns as they are stored.
        shares = (self._view.left, self._view.top) if orientation.transpose else (self._view.top, self._view.left)
        rows, columns = (
            self._slice(length, share, mirrored=mirrored)
            for length, share, mirrored in zip((height, width), shares, orientation.mirrors_stored, strict=True)
        )
        return width, height, rows, columns

    def _scaled_by_area(self, width: float, height: float, orientation: Orientation) -> tuple[int, int]:
        """Return width and height, as displayed, of the whole frame when what is cut out is scaled to the square."""
        if orientation.transpose:
            width, height = height, width
        view = self._view
        cut = (view.area or 1.0) * width * height
        across, down = min(sqrt(cut * view.proportion), width), min(sqrt(cut / view.proportion), height)
        return max(round(width * view.size / across), view.size), max(round(height * view.size / down), view.size)

    def _slice(self, length: int, share: float, *, mirrored: bool) -> slice:
        rest = length - self._view.size
        first = min(int(share * (rest + 1)), rest)
        first = rest - first if mirrored else first
        return slice(first, first + self._view.size)

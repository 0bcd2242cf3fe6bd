"""Several crops of each frame, and their mirror images."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypeAlias

import av
import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import FRAME_SIZE
from quovadis.video.geometry import Converter
from quovadis.video.orientation import UPRIGHT, Orientation

Crops: TypeAlias = Literal[1, 3, 5, 10]
"""`1`: the centre; `3`: along the longer side, left to right or top to bottom; `5`: the corners and the centre; `10`:
these five, and the same five of the mirrored frame, in the order of torchvision's `TenCrop`."""


class Crop(NamedTuple):
    """One crop of a frame."""

    name: str
    """What files call it."""
    region: int
    """Its index among the regions that are cut out of a frame."""
    mirrored: bool = False
    """Whether left and right are swapped."""

    def of(self, regions: NDArray[Any]) -> NDArray[Any]:
        """Return this crop, contiguous, from regions of shape …, regions, height, width, 3."""
        pixels = regions[..., self.region, :, :, :]
        return np.ascontiguousarray(pixels[..., ::-1, :] if self.mirrored else pixels)


_CORNERS = ("top left", "top right", "bottom left", "bottom right")
_FIVE = tuple(Crop(name, region) for region, name in enumerate((*_CORNERS, "centre")))
# The top left of the mirrored frame is the top right of the frame, mirrored; of an odd rest its centre lies one pixel
# further to the right, and is a sixth region.
_MIRRORED = tuple(
    Crop(f"{crop.name}, mirrored frame", region, mirrored=True)
    for crop, region in zip(_FIVE, (1, 0, 3, 2, 5), strict=True)
)
CROPS: Mapping[int, tuple[Crop, ...]] = MappingProxyType(
    {
        1: (Crop("centre", 0),),
        3: (Crop("left or top", 0), Crop("centre", 1), Crop("right or bottom", 2)),
        5: _FIVE,
        10: (*_FIVE, *_MIRRORED),
    }
)
"""The crops of a frame, by how many there are, in the order in which their features are written."""


def region_corners(height: int, width: int, crops: Crops, size: int = FRAME_SIZE) -> list[tuple[int, int]]:
    """Return top and left of each region of a frame that the crops are made of.

    Args:
        height: of the frame as it is shown, in pixels, at least `size`.
        width: of the frame as it is shown, in pixels, at least `size`.
        crops: how many.
        size: side of a crop, in pixels.
    """
    bottom, right = height - size, width - size
    # Of an odd rest the smaller half comes first.
    centre = bottom // 2, right // 2
    if crops == 1:
        return [centre]
    if crops == 3:
        ends = [(0, centre[1]), (bottom, centre[1])] if height > width else [(centre[0], 0), (centre[0], right)]
        return [ends[0], centre, ends[1]]
    corners = [(0, 0), (0, right), (bottom, 0), (bottom, right), centre]
    return corners if crops == 5 else [*corners, (bottom // 2, right - right // 2)]


class CropConverter:
    """Cuts the regions of crops out of frames that another converter scales; one for each video."""

    def __init__(self, whole: Converter, crops: Crops) -> None:
        """Choose the crops.

        Args:
            whole: gives frames upright and scaled, but not cut.
            crops: how many.
        """
        self._whole = whole
        self._crops = crops

    def convert(self, frame: av.VideoFrame, aspect_ratio: Fraction, orientation: Orientation = UPRIGHT) -> NDArray[Any]:
        """Return RGB, 0..255, shape regions, 224, 224, 3, contiguous; `Crop.of` makes crops of it.

        Raises:
            VideoError: the frame is too narrow, or FFmpeg cannot convert its format.
        """
        pixels = self._whole.convert(frame, aspect_ratio, orientation)
        # By its own shape: frames of a broadcast may change theirs.
        height, width = pixels.shape[:2]
        corners = region_corners(height, width, self._crops)
        return np.stack([pixels[top : top + FRAME_SIZE, left : left + FRAME_SIZE] for top, left in corners])

"""Frames on their way through the package."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import av
from numpy.typing import NDArray

from quovadis.video.orientation import Orientation

IMAGES_PER_SECOND = Fraction(25)
"""Images carry no time; they are taken to be at the rate that the network was trained at."""


class DecodedFrame(NamedTuple):
    """A frame as the decoder gives it: not yet turned, scaled or converted."""

    frame: av.VideoFrame
    aspect_ratio: Fraction
    """Width of a sample over its height."""
    orientation: Orientation
    """How it has to be turned to be upright."""
    pts_seconds: Fraction
    """Time since the first frame."""
    duration_seconds: Fraction
    """How long it is shown, as far as the file tells."""


class Frame(NamedTuple):
    """A frame ready for the network."""

    pixels: NDArray[Any]
    """RGB, 0..255, contiguous; by the usual conversion uint8 of shape 224, 224, 3. Repeated frames share one array."""
    pts_seconds: float
    """Time since the first frame of the video."""
    duration_seconds: float
    """How long it is shown."""


class CountedFrames:
    """Counts frames while they pass."""

    def __init__(self, frames: Iterable[Frame]) -> None:
        self._frames = frames
        self.count = 0

    def __iter__(self) -> Iterator[Frame]:
        for frame in self._frames:
            self.count += 1
            yield frame

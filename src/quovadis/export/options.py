"""What can be chosen of a written model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import CLIP_FRAMES, FRAME_SIZE, INPUT_CHANNELS

Layout: TypeAlias = Literal["BDHWC", "BDCHW"]
"""Order of the input's axes: batch, frames (depth), height, width, channels."""
Compression: TypeAlias = Literal["none", "fp16"]
"""How the weights are stored; the network computes in float32 either way."""


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """Form of one written model."""

    batch: int | None = 1
    """Clips in a batch; None: any number."""
    frames: int | None = CLIP_FRAMES
    """Frames of a clip; None: any number from 9."""
    layout: Layout = "BDCHW"
    compress: Compression = "none"

    def input_shape(self) -> tuple[int | None, ...]:
        """Return the input's shape in its layout; None where any size goes."""
        sizes = {"B": self.batch, "D": self.frames, "H": FRAME_SIZE, "W": FRAME_SIZE, "C": INPUT_CHANNELS}
        return tuple(sizes[axis] for axis in self.layout)

    def arranged(self, clips: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return clips of shape batch, frames, height, width, channels as the model takes them."""
        return np.ascontiguousarray(clips.transpose(["BDHWC".index(axis) for axis in self.layout]), np.float32)

    def order(self, axes: str) -> tuple[int, ...]:
        """Return where each of `axes`, such as `BCDHW`, stands in the input."""
        return tuple(self.layout.index(axis) for axis in axes)

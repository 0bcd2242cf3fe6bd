"""Whether floating-point clips hold pixels of 0..255, as the network takes them."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quovadis.errors import ArchitectureError

OVERSHOOT = 255
"""How far below 0 and above 255 pixels may lie. Resizing overshoots at edges: bicubic by up to 113 (with a = -0.75, as
in OpenCV and PyTorch), Lanczos of three lobes by up to 176."""
_SAMPLED = (slice(None), slice(None, None, 4), slice(None, None, 7), slice(None, None, 7))
"""Every 4th frame, and of it every 7th pixel each way."""
_NORMALIZED = 3.0
"""Pixels less a data set's mean and over its deviation: with ImageNet's, from -2.1 to 2.6."""


def check_pixel_range(clips: NDArray[Any]) -> None:
    """Refuse values that are no pixels, and warn of pixels that seem to be scaled already.

    Every value must be finite; a sample of them tells where they lie.

    Args:
        clips: float32, shape batch, frames, height, width, 3.

    Raises:
        ArchitectureError: NaN or infinity, or values far from 0..255.
    """
    sample = clips[_SAMPLED]
    with np.errstate(over="ignore", invalid="ignore"):
        total = clips.sum(dtype=np.float32)
    if not np.isfinite(total):
        if not np.isfinite(clips).all():
            raise ArchitectureError("clips hold NaN or infinity: pixels must be in 0..255")
        # Only enormous values add up to infinity, wherever they are.
        sample = clips
    lowest, highest = float(sample.min()), float(sample.max())
    if lowest < -OVERSHOOT or highest > 255 + OVERSHOOT:
        raise ArchitectureError(
            f"pixels must be in 0..255, and these reach from {lowest:g} to {highest:g}: give them as decoded"
        )
    undo = _undo_scaling(lowest, highest)
    # Of a black video values lie there too, but then they are whole, or most are.
    if undo is not None and np.mean(sample != np.rint(sample)) > 0.5:
        warnings.warn(
            f"pixels must be in 0..255, and these all lie in {lowest:g}..{highest:g}, as if scaled already: {undo}",
            UserWarning,
            stacklevel=_level_of_caller(),
        )


def _undo_scaling(lowest: float, highest: float) -> str | None:
    """Return what makes pixels of values in such a range, if they look scaled."""
    if lowest >= 0 and highest <= 1:
        return "multiply them by 255"
    if lowest >= -1 and highest <= 1:
        return "add 1 and multiply by 127.5"
    if -_NORMALIZED <= lowest < -0.5 and highest <= _NORMALIZED:
        return "multiply them by the deviation that they were divided by, add the mean, and scale to 0..255"
    return None


def _level_of_caller() -> int:
    """Return the `stacklevel` of the first call from outside this package: Python warns once for each place."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).partition(".")[0] == "quovadis":
        level, frame = level + 1, frame.f_back
    return level

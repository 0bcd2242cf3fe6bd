"""Whether floating-point clips hold pixels of 0..255, as the network takes them."""

from __future__ import annotations

import sys
import warnings
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quovadis.errors import ArchitectureError

OVERSHOOT = 255
"""How far below 0 and above 255 pixels may lie. Resizing overshoots at edges: bicubic by up to 113 (with a = -0.75, as
in OpenCV and PyTorch), Lanczos of three lobes by up to 176."""
_SAMPLED = (slice(None), slice(None, None, 4), slice(None, None, 7), slice(None, None, 7))
"""Every 4th frame, and of it every 7th pixel each way: enough to tell whole numbers from others."""
_CENTRED = 1.4
"""Pixels less their mean reach further up than this share of how far they reach down. Those of resizing reach at least
255 / 176 = 1.45 times as far up."""
_NORMALIZED = 3.0
"""Pixels less a data set's mean and over its deviation: with ImageNet's, from -2.1 to 2.6."""


def check_pixel_range(clips: NDArray[Any]) -> None:
    """Refuse values that are no pixels, and warn of pixels that seem to be scaled or centred already.

    Args:
        clips: float32, shape batch, frames, height, width, 3.

    Raises:
        ArchitectureError: NaN or infinity, or values far from 0..255.
    """
    # Of every value: both together take some ms for a clip, a hundredth of what the network takes. NaN is passed on.
    lowest, highest = float(clips.min()), float(clips.max())
    if not isfinite(lowest) or not isfinite(highest):
        raise ArchitectureError("clips hold NaN or infinity: pixels must be in 0..255")
    if lowest < -OVERSHOOT or highest > 255 + OVERSHOOT:
        raise ArchitectureError(
            f"pixels must be in 0..255, and these reach from {lowest:g} to {highest:g}: give them as decoded"
        )
    undo = _undo_scaling(lowest, highest, clips[_SAMPLED])
    if undo is not None:
        warnings.warn(
            f"pixels must be in 0..255, and these all lie in {lowest:g}..{highest:g}, as if {undo}",
            UserWarning,
            stacklevel=_level_of_caller(),
        )


def _undo_scaling(lowest: float, highest: float, sample: NDArray[Any]) -> str | None:
    """Return what values in such a range look like, if they are no pixels, and what makes pixels of them."""
    if lowest < -_NORMALIZED and highest <= -_CENTRED * lowest:
        mean = "255" if highest <= 0 else "128" if lowest >= -128 and highest <= 128 else "the mean"
        return f"centred already: add {mean}{' that was taken away' if mean == 'the mean' else ''}"
    # Of a black video values lie in the ranges below too, but then they are whole, or most are.
    if lowest < -_NORMALIZED or highest > _NORMALIZED or np.mean(sample != np.rint(sample)) <= 0.5:
        return None
    if lowest >= 0 and highest <= 1:
        return "scaled already: multiply them by 255"
    if lowest >= -1 and highest <= 1:
        return "scaled already: add 1 and multiply by 127.5"
    if lowest < -0.5:
        return "scaled already: multiply them by the deviation, add the mean, and scale to 0..255"
    return None


def _level_of_caller() -> int:
    """Return the `stacklevel` of the first call from outside this package: Python warns once for each place."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).partition(".")[0] == "quovadis":
        level, frame = level + 1, frame.f_back
    return level

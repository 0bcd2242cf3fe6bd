"""Bilinear resizing without antialiasing, as OpenCV, PyTorch and TensorFlow do it; FFmpeg's smooths what it shrinks."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

CoordinateMode: TypeAlias = Literal["half-pixel", "asymmetric"]
"""Where output pixel i of n looks among s input pixels: `half-pixel`, (i + 1/2) s/n - 1/2, as OpenCV and PyTorch
(align_corners off); `asymmetric`, i s/n, as TensorFlow 1's `tf.image.resize_bilinear`."""


def resize(
    pixels: NDArray[Any],
    height: int,
    width: int,
    coordinate_mode: CoordinateMode = "half-pixel",
    columns: slice = slice(None),
) -> NDArray[np.float32]:
    """Return a picture of another size, shape height, columns, channels, within the range of its pixels, not rounded.

    Args:
        pixels: uint8 or float32, shape height, width, channels.
        height: of the result.
        width: of the result.
        coordinate_mode: where output pixels look.
        columns: which columns of the result are wanted.
    """
    channels = pixels.shape[2]
    above, below, down = _taps(pixels.shape[0], height, coordinate_mode)
    lines = pixels.reshape(len(pixels), -1)
    upper = lines[above].astype(np.float32)
    rows = upper + (lines[below] - upper) * down[:, np.newaxis]
    left, right, across = _taps(pixels.shape[1], width, coordinate_mode)
    # Lines are taken as they are in memory, which is faster than pixel by pixel.
    start = rows.take(_each_channel(left[columns], channels), axis=1)
    end = rows.take(_each_channel(right[columns], channels), axis=1)
    result: NDArray[np.float32] = start + (end - start) * np.repeat(across[columns], channels)
    return result.reshape(height, -1, channels)


def _each_channel(pixels: NDArray[np.intp], channels: int) -> NDArray[np.intp]:
    return (pixels[:, np.newaxis] * channels + np.arange(channels)).reshape(-1)


@lru_cache(maxsize=64)
def _taps(
    source: int, target: int, coordinate_mode: CoordinateMode
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Return for each output pixel the two input pixels that it lies between, and its distance from the first."""
    positions = np.arange(target, dtype=np.float64)
    scale = source / target
    positions = (positions + 0.5) * scale - 0.5 if coordinate_mode == "half-pixel" else positions * scale
    positions = positions.clip(0, source - 1)
    first = np.floor(positions).astype(np.intp)
    return first, np.minimum(first + 1, source - 1), (positions - first).astype(np.float32)

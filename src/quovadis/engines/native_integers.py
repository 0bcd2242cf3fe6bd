"""Weights for the kernels on 8-bit feature maps: as many bits as the sums allow.

Feature maps hold 0..255, the stem's 0..4095 and beyond, each channel with a scale of its own, which the weights that
read it take up. Convolutions of 3x3x3 and 7x7x7 transform them (Winograd) to 16-bit integers, exactly but for fractions
in the stem; multiply them with weights that were transformed and rounded to 16-bit integers; and sum in 32 bits. What a
sum can be at most is known, so that each output channel and point has the finest scale that cannot overflow, whatever
the video shows. Some 1x1x1 convolutions take bytes as they are and 8-bit weights, twice as fast.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quovadis.engines.native_library import PANEL, IntegerConvolution, aligned_empty, padded_channels
from quovadis.engines.winograd import POINTS_3X3X3, POINTS_STEM, minimal_filter

QMAX = 255
"""Of a feature map's values; the stem takes pixels as -127.5..127.5."""
WIDE_QMAX = 2**12 - 1
"""Of what the stem makes: 8 bits there would lose more than in all other feature maps together."""
_MAX_SUM = 2**31 - 1


def bounds_3x3x3() -> NDArray[np.float64]:
    """Return what each of the 144 transformed values of 0..255 can be at most."""
    matrix = _nested(3, POINTS_3X3X3)
    bounds: NDArray[np.float64] = QMAX * np.maximum(np.maximum(matrix, 0).sum(1), np.maximum(-matrix, 0).sum(1))
    return bounds


def bounds_stem() -> NDArray[np.float64]:
    """Return what each of the 49 transformed values of -127.5..127.5 can be at most, rounding included."""
    bounds: NDArray[np.float64] = QMAX / 2 * np.abs(_nested(4, POINTS_STEM)).sum(1) + 1
    return bounds


def _nested(taps: int, axes: Sequence[Sequence[Fraction]]) -> NDArray[np.float64]:
    """Return the matrix of a transform along several axes, for values with the axes flattened."""
    matrix: NDArray[Any] = np.ones((1, 1))
    for points in axes:
        matrix = np.kron(matrix, minimal_filter(taps, points).input)
    return matrix


def pack_integers(
    weights: NDArray[np.float32],
    bias: NDArray[np.float32],
    bounds: NDArray[np.float64],
    output_scale: NDArray[np.float32] | float,
    dtype: type[np.signedinteger[Any]] = np.int16,
) -> IntegerConvolution:
    """Round transformed weights and pack them.

    Args:
        weights: of integer inputs, shape points, depth, out; depth is a multiple of what a word of 32 bits holds.
        bias: shape out.
        bounds: what an input can be at most, shape points.
        output_scale: of the outputs, one or for each channel.
        dtype: of weights in memory, int16 or int8.
    """
    points, depth, channels = weights.shape
    exact = np.zeros((points, depth, padded_channels(channels)))
    exact[..., :channels] = weights
    magnitude = np.abs(exact)
    # Rounding adds half a unit to each weight at most.
    room = _MAX_SUM - bounds * depth / 2
    scale = np.maximum(magnitude.max(1) / np.iinfo(dtype).max, magnitude.sum(1) * (bounds / room)[:, np.newaxis])
    scale = np.where(scale == 0, 1.0, scale)
    rounded = np.rint(exact / scale[:, np.newaxis]).astype(dtype)
    offset = np.zeros(padded_channels(channels))
    offset[:channels] = bias / output_scale
    scale[:, :channels] /= output_scale
    in_word = 4 // rounded.itemsize
    words = rounded.reshape(points, depth // in_word, in_word, -1).transpose(0, 1, 3, 2)
    starts = range(0, rounded.shape[-1], PANEL)
    packed = aligned_empty((rounded.size,), dtype)
    np.concatenate([words[:, :, start : start + PANEL].ravel() for start in starts], out=packed)
    return IntegerConvolution(
        packed,
        np.concatenate([scale[:, start : start + PANEL].ravel() for start in starts]).astype(np.float32),
        offset.astype(np.float32),
        depth,
        rounded.shape[-1],
    )

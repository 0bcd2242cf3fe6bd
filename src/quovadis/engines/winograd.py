"""Winograd's minimal filtering: the transform of weights, exact until it is rounded.

`F(m, r)` computes m outputs of an r-tap filter in m + r - 1 products instead of m * r. The algorithm is Toom and
Cook's: the products are a polynomial's values at m + r - 2 points and at infinity. Source: Lavin and Gray, "Fast
Algorithms for Convolutional Neural Networks", CVPR 2016, and Blahut, "Fast Algorithms for Signal Processing",
chapter 5. The transforms of inputs and outputs, which belong to the same points, are in `native/tiles.hpp`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FOUR_THREE = tuple(map(Fraction, (0, 1, -1, 2, -2)))
_FOUR_FOUR = (*_FOUR_THREE, Fraction(1, 2))
POINTS_3X3X3: tuple[tuple[Fraction, ...], ...] = (_FOUR_THREE, _FOUR_THREE, tuple(map(Fraction, (0, 1, -1))))
"""F(4,3) along time and height, F(2,3) along width; infinity is not listed."""
POINTS_STEM: tuple[tuple[Fraction, ...], ...] = (_FOUR_FOUR, _FOUR_FOUR)
"""F(4,4) along time and height, of every second tap."""


@dataclass(frozen=True)
class MinimalFilter:
    """Matrices of F(m, r), for n = m + r - 1 products: outputs = output @ ((weight @ taps) * (input @ inputs))."""

    input: NDArray[np.float64]
    """Shape n, n."""
    weight: NDArray[np.float64]
    """Shape n, r."""
    output: NDArray[np.float64]
    """Shape m, n."""


def minimal_filter(taps: int, points: Sequence[Fraction]) -> MinimalFilter:
    """Construct F(m, `taps`) over different `points` and infinity; m follows from their number."""
    products = len(points) + 1
    outputs = products - taps + 1
    others = [[other for other in points if other is not point] for point in points]
    scales = [
        prod((point - other for other in rest), start=Fraction(1)) for point, rest in zip(points, others, strict=True)
    ]
    weight = [[point**power / scale for power in range(taps)] for point, scale in zip(points, scales, strict=True)]
    weight.append([Fraction(power == taps - 1) for power in range(taps)])
    # Lagrange's polynomials, without their scale, and the one that is zero at all points.
    polynomials = [[*_from_roots(rest), Fraction(0)] for rest in others] + [_from_roots(points)]
    output = [[point**row for point in points] + [Fraction(row == outputs - 1)] for row in range(outputs)]
    return MinimalFilter(*(np.array(matrix, np.float64) for matrix in (polynomials, weight, output)))


def _from_roots(roots: Sequence[Fraction]) -> list[Fraction]:
    """Return the coefficients, constant first, of the product of all x - root."""
    coefficients = [Fraction(1)]
    for root in roots:
        shifted = [Fraction(0), *coefficients]
        coefficients = [a - root * b for a, b in zip(shifted, [*coefficients, Fraction(0)], strict=True)]
    return coefficients


def transform_3x3x3(kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Transform a kernel of shape 3, 3, 3, in, out to 144 points: shape 144, in, out."""
    time, height, width = (minimal_filter(3, points).weight for points in POINTS_3X3X3)
    return _transform(np.kron(np.kron(time, height), width), kernel.reshape(27, *kernel.shape[3:]))


def transform_stem(kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Transform a kernel of shape 7, 7, 7, 3, out, stride 2, to 49 points: shape 49, 4 * 7 * 3, out.

    Along time and height taps are separated into even and odd ones, which meet the even and odd frames and rows; the
    odd ones are a zero short. The second axis runs over even and odd frames, even and odd rows, width, channel.
    """
    time, height = (minimal_filter(4, points).weight for points in POINTS_STEM)
    padded = np.zeros((8, 8, *kernel.shape[2:]))
    padded[:7, :7] = kernel
    separated = padded.reshape(4, 2, 4, 2, -1, kernel.shape[-1]).transpose(0, 2, 1, 3, 4, 5)
    return _transform(np.kron(time, height), separated.reshape(16, -1, kernel.shape[-1]))


def _transform(matrix: NDArray[np.floating[Any]], kernel: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Apply a matrix to all axes of the extent together: a tenth of the time of one after the other."""
    points: NDArray[np.floating[Any]] = matrix @ kernel.reshape(len(kernel), -1).astype(np.float64)
    return points.astype(np.float32).reshape(-1, *kernel.shape[1:])

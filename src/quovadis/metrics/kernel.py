"""The kernel distance between two sets of features, which fits no Gaussian and has no bias."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quovadis.errors import MetricError
from quovadis.fields import check_value
from quovadis.metrics.inputs import checked_pair

DEFAULT_BLOCK_ROWS = 1024


def kvd(features_a: NDArray[Any], features_b: NDArray[Any], *, block_rows: int = DEFAULT_BLOCK_ROWS) -> float:
    """Return the kernel video distance between two sets of features (Unterthiner et al. 2018).

    It is the unbiased estimate of the squared maximum mean discrepancy (Gretton et al. 2012, lemma 6) with the kernel
    (x·y / D + 1)³ (Bińkowski et al. 2018, "Demystifying MMD GANs"): the mean kernel of two different samples of A, plus
    that of B, less twice that of a sample of A and one of B. In float64.

    Args:
        features_a: shape N,D, N of 2 or more, of any real dtype: one vector a video.
        features_b: shape M,D, M of 2 or more.
        block_rows: samples of a set whose kernels are in memory at a time; the result differs by rounding alone.

    Returns:
        The distance; of sets that are alike it lies around 0, so it may be slightly negative and is not clipped.

    Raises:
        MetricError: another shape, different dimensions, fewer than 2 samples, values that are not finite or whose
            cubes are beyond float64, no rows in a block.
    """
    block_rows = check_value("block_rows", block_rows, int, MetricError, at_least=1)
    first, second = checked_pair(features_a, features_b, least=2)
    with np.errstate(over="ignore", invalid="ignore"):
        distance = _mean_within(first, block_rows) + _mean_within(second, block_rows)
        distance -= 2 * _mean_between(first, second, block_rows)
    if not math.isfinite(distance):
        raise MetricError("the features are too large: their kernels are beyond float64")
    return distance


def _mean_within(features: NDArray[np.float64], block_rows: int) -> float:
    """Return the mean kernel of two different samples of one set."""
    sums = []
    for start, rows in _blocks(features, block_rows):
        kernels = _kernels(rows, rows)
        np.fill_diagonal(kernels, 0)
        sums.append(float(kernels.sum()))
        # The kernel is symmetric: what lies below the diagonal need not be computed.
        sums += [
            2 * float(_kernels(rows, others).sum()) for _, others in _blocks(features[start + len(rows) :], block_rows)
        ]
    return sum(sums) / (len(features) * (len(features) - 1))


def _mean_between(first: NDArray[np.float64], second: NDArray[np.float64], block_rows: int) -> float:
    sums = [
        float(_kernels(rows, others).sum())
        for _, rows in _blocks(first, block_rows)
        for _, others in _blocks(second, block_rows)
    ]
    return sum(sums) / (len(first) * len(second))


def _kernels(rows: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    base = rows @ others.T / rows.shape[1] + 1
    kernels: NDArray[np.float64] = base * base * base
    return kernels


def _blocks(features: NDArray[np.float64], block_rows: int) -> Iterator[tuple[int, NDArray[np.float64]]]:
    for start in range(0, len(features), block_rows):
        yield start, features[start : start + block_rows]

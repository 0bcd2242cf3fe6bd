"""Whether one of two classifiers is better, from the samples on which only one of them is right."""

from __future__ import annotations

import math

import numpy as np

from quovadis.errors import MetricError
from quovadis.fields import check_value

REACH_FACTOR = 20
"""Farther than 20 √n from n/2, the tail is below exp(-2 · 20²) (Hoeffding 1963), which float64 cannot tell from 0."""


def mcnemar(only_a: int, only_b: int) -> float:
    """Return the exact two-sided p-value of McNemar's test (McNemar 1947).

    Were both classifiers equally good, each sample on which just one of them is right would be A's or B's with a
    probability of 1/2. The p-value is that of a split as uneven as this one, or more so: twice the tail of the
    binomial distribution up to the smaller of the two counts, 1 at most.

    The tail is a sum of probabilities relative to the largest of them, over the sum of all: nothing overflows, and
    memory grows with the root of the counts.

    Args:
        only_a: samples on which A alone is right, 0 or more.
        only_b: samples on which B alone is right, 0 or more.

    Returns:
        In 0..1; 1 if both counts are 0.

    Raises:
        MetricError: a count that is negative or no whole number.
    """
    alone = {"samples of A alone": only_a, "samples of B alone": only_b}
    counts = [check_value(name, count, int, MetricError, at_least=0) for name, count in alone.items()]
    smaller, larger = min(counts), max(counts)
    total, middle = smaller + larger, (smaller + larger) // 2
    reach = min(middle, REACH_FACTOR * (math.isqrt(total) + 1))
    # The probability of k - 1 among n is that of k times k / (n - k + 1); the sum begins in the middle, with weight 1.
    places = np.arange(middle, middle - reach, -1, dtype=np.float64)
    weights = np.exp(np.concatenate([[0.0], np.cumsum(np.log(places / (total - places + 1)))]))
    everything = 2 * weights.sum() - (weights[0] if total % 2 == 0 else 0)
    tail = weights[middle - smaller :].sum()
    return min(float(2 * tail / everything), 1.0)

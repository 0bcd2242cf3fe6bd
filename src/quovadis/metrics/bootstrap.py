"""How far a statistic of two sets could have come out otherwise, by resampling them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quovadis.errors import MetricError
from quovadis.metrics.inputs import check_confidence, checked_count

LEAST_RESAMPLES = 2
"""A standard error needs two."""


@dataclass(frozen=True)
class BootstrapInterval:
    """A statistic and how certain it is."""

    estimate: float
    """The statistic of the sets as they are."""
    standard_error: float
    """Standard deviation of the statistic over the resamples."""
    lower: float
    upper: float
    """The basic interval, at the confidence that was asked for."""
    bias: float
    """Mean of the statistic over the resamples, less the estimate."""
    resamples: int


def bootstrap(
    statistic: Callable[[NDArray[Any], NDArray[Any]], float],
    features_a: NDArray[Any],
    features_b: NDArray[Any],
    *,
    resamples: int,
    seed: int,
    confidence: float = 0.95,
    floor: float | None = None,
) -> BootstrapInterval:
    """Return a statistic of two sets with its basic bootstrap interval (Davison and Hinkley 1997, section 5.2).

    Both sets are resampled with replacement, each to its own length. The basic interval takes the quantiles of the
    resamples and reflects them about the estimate: resampling adds the same upward bias to a Fréchet distance that
    sampling did, so quantiles taken as they are would lie above the estimate twice over.

    Args:
        statistic: of two arrays such as those given.
        features_a: shape N,..., any dtype, N of 1 or more.
        features_b: shape M,..., M of 1 or more.
        resamples: 2 or more; about 1000 for an interval.
        seed: 0 or more; the same seed yields the same result.
        confidence: between 0 and 1.
        floor: the lowest value that the statistic can have, at which both ends of the interval are cut off.

    Raises:
        MetricError: no samples, fewer than 2 resamples, a negative seed, another confidence, a statistic that is not
            finite; and what the statistic itself raises.
    """
    check_confidence(confidence)
    if checked_count(resamples, "the resamples of a bootstrap") < LEAST_RESAMPLES:
        raise MetricError(f"{resamples} resamples are too few; give {LEAST_RESAMPLES} or more")
    generator = np.random.default_rng(checked_count(seed, "the seed of a bootstrap"))
    first, second = _checked_samples(features_a, "features A"), _checked_samples(features_b, "features B")
    estimate = _value(statistic, first, second)
    values = np.empty(resamples)
    for place in range(resamples):
        chosen_a = generator.integers(len(first), size=len(first))
        chosen_b = generator.integers(len(second), size=len(second))
        values[place] = _value(statistic, first[chosen_a], second[chosen_b])
    tail = (1 - confidence) / 2
    # The book's quantiles are the values at places (R + 1) p, which numpy calls Weibull's.
    low, high = (float(value) for value in np.quantile(values, [tail, 1 - tail], method="weibull"))
    lowest = -math.inf if floor is None else floor
    return BootstrapInterval(
        estimate=estimate,
        standard_error=float(values.std(ddof=1)),
        lower=max(2 * estimate - high, lowest),
        upper=max(2 * estimate - low, lowest),
        bias=float(values.mean()) - estimate,
        resamples=int(resamples),
    )


def _checked_samples(features: NDArray[Any], name: str) -> NDArray[Any]:
    array = np.asarray(features)
    if array.ndim == 0 or len(array) == 0:
        raise MetricError(f"{name} need one sample or more along their first axis, not shape {array.shape}")
    return array


def _value(
    statistic: Callable[[NDArray[Any], NDArray[Any]], float], first: NDArray[Any], second: NDArray[Any]
) -> float:
    value = float(statistic(first, second))
    if not math.isfinite(value):
        raise MetricError(f"the statistic yields {value}, of which there is no interval")
    return value

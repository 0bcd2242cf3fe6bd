"""How far a statistic of two sets could have come out otherwise, by resampling them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quovadis.errors import MetricError
from quovadis.escape import shortened
from quovadis.fields import OPTIONAL_FUNCTION, check_value
from quovadis.metrics.inputs import as_array, checked_confidence

MIN_RESAMPLES, MAX_RESAMPLES = 2, 100_000
"""A standard error needs two; more than 100,000 add nothing to the result."""


@dataclass(frozen=True)
class BootstrapInterval:
    """A statistic and how certain it is."""

    estimate: float
    """The statistic of the sets as they are."""
    standard_error: float
    """Standard deviation of the statistic over the resamples."""
    lower: float
    upper: float
    """The interval at the confidence that was asked for: what as many other samples would have yielded."""
    bias: float
    """Mean of the statistic over the resamples, less the estimate: about what the estimate itself lies above, or below,
    the statistic of endlessly many samples."""
    resamples: int
    confidence: float


def bootstrap(
    statistic: Callable[[NDArray[Any], NDArray[Any]], float],
    features_a: NDArray[Any],
    features_b: NDArray[Any],
    *,
    resamples: int,
    seed: int,
    confidence: float = 0.95,
    floor: float | None = None,
    groups_a: NDArray[Any] | None = None,
    groups_b: NDArray[Any] | None = None,
    on_resample: Callable[[], None] | None = None,
) -> BootstrapInterval:
    """Return a statistic of two sets with its centred bootstrap interval (Efron and Tibshirani 1993, chapters 10, 13).

    Both sets are resampled with replacement, each to its own length. The interval has the quantiles of the resamples,
    moved by the bias so that they lie about the estimate. It is one for the statistic of as many samples, which is what
    a Fréchet distance is compared by: such a distance shrinks as samples grow, and resampling, which takes some twice,
    adds the same bias once more. Quantiles as they are would lie above the estimate; reflected about it (the basic
    interval) they would lie below it, about the distance of endlessly many samples.

    Args:
        statistic: of two arrays such as those given.
        features_a: shape N,..., any dtype, N of 1 or more.
        features_b: shape M,..., M of 1 or more.
        resamples: 2 to 100,000; about 1000 for an interval.
        seed: 0 or more; the same seed yields the same result.
        confidence: between 0 and 1.
        floor: the lowest value that the statistic can have, at which both ends of the interval are cut off.
        groups_a: shape N, the same value for samples that are not independent, such as clips of one video, which are
            resampled together; None: all are independent.
        groups_b: shape M.
        on_resample: called after each resample.

    Raises:
        MetricError: no samples, fewer than 2 resamples, a negative seed, another confidence or floor, groups of another
            length or that cannot be sorted, a statistic that is no function of one finite number; and what the
            statistic itself raises.
    """
    confidence = checked_confidence(confidence)
    check_value("statistic", statistic, Callable[..., float], MetricError)
    check_value("on_resample", on_resample, OPTIONAL_FUNCTION, MetricError)
    lowest = -math.inf if floor is None else float(check_value("floor", floor, float | None, MetricError))
    resamples = check_value("resamples", resamples, int, MetricError, at_least=MIN_RESAMPLES, at_most=MAX_RESAMPLES)
    generator = np.random.default_rng(check_value("seed", seed, int, MetricError, at_least=0))
    first, second = _checked_samples(features_a, "features A"), _checked_samples(features_b, "features B")
    rows_a, rows_b = _grouped(first, groups_a, "features A"), _grouped(second, groups_b, "features B")
    estimate = _value(statistic, first, second)
    values = np.empty(resamples)
    for index in range(resamples):
        chosen_a, chosen_b = _resampled(rows_a, generator), _resampled(rows_b, generator)
        values[index] = _value(statistic, first[chosen_a], second[chosen_b])
        if on_resample is not None:
            on_resample()
    tail = (1 - confidence) / 2
    # The book's quantiles are the values at places (R + 1) p, which numpy calls Weibull's.
    low, high = (float(value) for value in np.quantile(values, [tail, 1 - tail], method="weibull"))
    bias = float(values.mean()) - estimate
    return BootstrapInterval(
        estimate=estimate,
        standard_error=float(values.std(ddof=1)),
        lower=max(low - bias, lowest),
        upper=max(high - bias, lowest),
        bias=bias,
        resamples=resamples,
        confidence=confidence,
    )


def _grouped(features: NDArray[Any], groups: NDArray[Any] | None, name: str) -> list[NDArray[np.intp]] | int:
    """Return the rows of each group, or how many rows there are if each is a group of its own."""
    if groups is None:
        return len(features)
    array = as_array(groups, f"the groups of {name}")
    if array.shape != (len(features),):
        raise MetricError(f"{name} need a group for each of their {len(features)} samples, not {array.shape}")
    try:
        _, numbers, counts = np.unique(array, return_inverse=True, return_counts=True)
    except TypeError as error:
        raise MetricError(f"the groups of {name} cannot be sorted ({error}); give numbers or texts") from error
    if len(counts) == len(features):
        return len(features)
    return np.split(np.argsort(numbers, kind="stable"), np.cumsum(counts)[:-1])


def _resampled(rows: list[NDArray[np.intp]] | int, generator: np.random.Generator) -> NDArray[np.intp]:
    if isinstance(rows, int):
        return generator.integers(rows, size=rows)
    return np.concatenate([rows[index] for index in generator.integers(len(rows), size=len(rows))])


def _checked_samples(features: NDArray[Any], name: str) -> NDArray[Any]:
    array = as_array(features, name)
    if array.ndim == 0 or len(array) == 0:
        raise MetricError(f"{name} need one sample or more along their first axis, not shape {array.shape}")
    return array


def _value(
    statistic: Callable[[NDArray[Any], NDArray[Any]], float], first: NDArray[Any], second: NDArray[Any]
) -> float:
    found = statistic(first, second)
    try:
        value = float(found)
    except (TypeError, ValueError):
        raise MetricError(f"the statistic yields {shortened(found)}, not one number") from None
    if not math.isfinite(value):
        raise MetricError(f"the statistic yields {value}, of which there is no interval")
    return value

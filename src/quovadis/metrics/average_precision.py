"""How well scores rank samples of several classes each: average precision by class, and their mean."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from quovadis.errors import MetricError
from quovadis.metrics.inputs import as_array


def average_precision(scores: NDArray[Any], targets: NDArray[Any]) -> NDArray[np.float64]:
    """Return the average precision of each class: the mean, over its samples, of the precision down to each of them.

    Samples with the same score count together, as in scikit-learn's `average_precision_score`.

    Args:
        scores: shape N,C, real numbers.
        targets: shape N,C, true or other than zero where the sample is of the class.

    Returns:
        Shape C, values in 0..1; not a number for a class without samples.

    Raises:
        MetricError: shapes that do not fit, or scores that are not a number.
    """
    table, truth = as_array(scores, "scores"), as_array(targets, "targets").astype(bool)
    if table.ndim != 2 or table.shape != truth.shape:
        raise MetricError(f"scores and targets need one shape N,C, not {table.shape} and {truth.shape}")
    if np.isnan(table).any():
        raise MetricError("scores must be real numbers")
    return np.array([_of_class(table[:, index], truth[:, index]) for index in range(table.shape[1])])


def mean_average_precision(scores: NDArray[Any], targets: NDArray[Any]) -> float:
    """Return the mean of the average precisions of the classes that have samples; not a number if none has.

    Arguments and errors are those of `average_precision`.
    """
    found = average_precision(scores, targets)
    return float(np.nanmean(found)) if np.isfinite(found).any() else float("nan")


def _of_class(scores: NDArray[Any], truth: NDArray[np.bool_]) -> float:
    if not truth.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(truth[order])
    # The last sample of each score.
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    precision = hits[ends] / (ends + 1)
    gained = np.diff(hits[ends], prepend=0)
    return float((gained * precision).sum() / hits[-1])

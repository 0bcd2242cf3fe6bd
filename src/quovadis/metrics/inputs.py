"""What metrics are given: checked before anything is computed of it, and refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from quovadis.errors import MetricError
from quovadis.escape import counted_are, shortened
from quovadis.fields import check_value

LARGEST_MAGNITUDE = 1e100
"""Of a feature: sums of squares of larger values could leave the range of float64."""
LARGEST_CONFIDENCE = 1 - 1e-15
"""The quantiles of larger ones are those of 1, which are infinite."""
LARGEST_SCATTER = 1e250
"""Of an entry of a covariance or scatter matrix: traces of larger ones could."""
RELATIVE_TOLERANCE = 1e-5
"""How far from symmetric and positive semidefinite a covariance that was computed in float32 may be."""


def as_array(values: Any, name: str) -> NDArray[Any]:
    """Return what a user gave as an array.

    Raises:
        MetricError: it is none, such as rows of different lengths, a tensor that requires gradients, or an array with
            masked values.
    """
    if np.ma.is_masked(values):
        # Numpy would take what lies under the mask.
        raise MetricError(f"{name} have masked values, which cannot be left out here; leave out their rows")
    try:
        array = np.asarray(values)
    except (RuntimeError, TypeError, ValueError) as error:
        raise MetricError(f"{name} cannot be read as an array ({error}); give an array of numpy") from error
    if array.ndim == 0 and array.dtype.kind in "OUS":
        raise MetricError(f"{name} must be an array of numbers, not {shortened(values)}")
    return array


def checked_features(features: NDArray[Any], name: str) -> NDArray[np.float64]:
    """Return features as float64, shape N,D: N samples, none is allowed, of D dimensions, at least one.

    Raises:
        MetricError: another shape, values that are no real numbers, infinite, not a number, or beyond 1e100.
    """
    array = as_array(features, name)
    if array.ndim != 2 or array.shape[1] == 0:
        raise MetricError(f"{name} need shape N,D, a row for each sample, not {array.shape}")
    return _checked_reals(array, name)


def checked_pair(
    features_a: NDArray[Any], features_b: NDArray[Any], *, least: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return two sets of features as float64, shapes N,D and M,D.

    Args:
        features_a: shape N,D.
        features_b: shape M,D.
        least: samples that each must have.

    Raises:
        MetricError: different dimensions, fewer samples, or what `checked_features` refuses.
    """
    first = checked_features(features_a, "features A")
    second = checked_features(features_b, "features B")
    if first.shape[1] != second.shape[1]:
        raise MetricError(f"features of {first.shape[1]} and of {second.shape[1]} dimensions cannot be compared")
    for name, count in (("features A", len(first)), ("features B", len(second))):
        if count < least:
            raise MetricError(f"{name}: {counted_are(count, 'sample')} too few; give {least} or more")
    return first, second


def checked_mean(mean: NDArray[Any], name: str) -> NDArray[np.float64]:
    """Return a mean as float64, shape D.

    Raises:
        MetricError: another shape, or values that `checked_features` would refuse.
    """
    array = as_array(mean, name)
    if array.ndim != 1 or len(array) == 0:
        raise MetricError(f"{name} needs shape D, not {array.shape}")
    return _checked_reals(array, name)


def checked_symmetric(matrix: NDArray[Any], dimension: int, name: str) -> NDArray[np.float64]:
    """Return a matrix as float64, shape D,D, made exactly symmetric.

    Args:
        matrix: shape D,D.
        dimension: D.
        name: what it is, for the message.

    Raises:
        MetricError: another shape, values that are not finite, entries that differ from their mirror images by more
            than 1e-5 of the largest, or a negative diagonal.
    """
    array = as_array(matrix, name)
    if array.shape != (dimension, dimension):
        raise MetricError(f"{name} needs shape {dimension},{dimension} to fit its mean, not {array.shape}")
    values = _checked_reals(array, name, LARGEST_SCATTER)
    tolerance = RELATIVE_TOLERANCE * float(np.abs(values).max())
    difference = float(np.abs(values - values.T).max())
    if difference > tolerance:
        raise MetricError(f"{name} is not symmetric: entries differ from their mirror images by {difference:g}")
    if float(values.diagonal().min()) < -tolerance:
        raise MetricError(f"{name} has the negative variance {float(values.diagonal().min()):g}")
    return (values + values.T) / 2


def checked_confidence(confidence: float) -> float:
    """Return a confidence as a float of Python.

    Raises:
        MetricError: no number between 0 and 1, or one that rounds to 1.
    """
    value = float(check_value("confidence", confidence, float, MetricError))
    if not 0 < value <= LARGEST_CONFIDENCE:
        raise MetricError(
            f"a confidence must be between 0 and 1, not {shortened(confidence)}: give one, such as 0.95",
            option="confidence",
        )
    return value


def _checked_reals(array: NDArray[Any], name: str, largest: float = LARGEST_MAGNITUDE) -> NDArray[np.float64]:
    if array.dtype.kind not in "fiu":
        raise MetricError(f"{name} must be real numbers, not {array.dtype}")
    values = array.astype(np.float64, copy=False)
    if not np.isfinite(values).all():
        raise MetricError(f"{name} hold values that are infinite or not a number")
    if values.size and max(float(values.max()), -float(values.min())) > largest:
        raise MetricError(f"{name} hold values beyond {largest:g}")
    return values

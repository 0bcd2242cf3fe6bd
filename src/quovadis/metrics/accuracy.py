"""Accuracy of a classifier: where the true class comes in, what is taken for what, and how sure one may be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quovadis.errors import MetricError
from quovadis.fields import check_value
from quovadis.metrics.inputs import as_array, checked_confidence


class WilsonInterval(NamedTuple):
    """Where the probability of success lies, both ends in 0..1."""

    lower: float
    upper: float


@dataclass(frozen=True)
class Proportion:
    """Successes among trials, such as videos classified correctly.

    Raises:
        MetricError: a negative number, no whole number, or more successes than trials.
    """

    successes: int
    trials: int

    def __post_init__(self) -> None:
        # As numbers of Python, which JSON takes.
        for name, value in zip(("successes", "trials"), _checked_proportion(self.successes, self.trials), strict=True):
            object.__setattr__(self, name, value)

    @property
    def value(self) -> float:
        """Successes over trials, in 0..1; not a number if there were no trials."""
        return self.successes / self.trials if self.trials else math.nan

    @property
    def interval(self) -> WilsonInterval:
        """Where the probability of success lies, with a confidence of 0.95."""
        return wilson_interval(self.successes, self.trials)

    def to_dict(self) -> dict[str, int | float]:
        """Return the numbers and both ends of the interval, by name."""
        return {"successes": self.successes, "trials": self.trials, **self.interval._asdict()}


def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> WilsonInterval:
    """Return the score interval of a proportion (Wilson 1927), which holds for few trials and rates near 0 and 1 too.

    For s successes and f failures in n trials, and z, the normal quantile of (1 + confidence) / 2, its ends are
    (s + z²/2 ± z √(s f / n + z²/4)) / (n + z²).

    Args:
        successes: 0..trials.
        trials: 0 or more; of none, the interval is 0..1.
        confidence: between 0 and 1.

    Raises:
        MetricError: a negative number, more successes than trials, another confidence.
    """
    confidence = checked_confidence(confidence)
    successes, trials = _checked_proportion(successes, trials)
    if trials == 0:
        return WilsonInterval(0.0, 1.0)
    score = NormalDist().inv_cdf((1 + confidence) / 2)
    failures = trials - successes
    half_width = score * math.sqrt(successes * failures / trials + score**2 / 4)
    centre = successes + score**2 / 2
    # Without successes the lower end is 0, without failures the upper one is 1: exactly, whatever the rounding.
    lower = (centre - half_width) / (trials + score**2) if successes else 0.0
    upper = (centre + half_width) / (trials + score**2) if failures else 1.0
    return WilsonInterval(max(lower, 0.0), min(upper, 1.0))


def top_ks(classes: int) -> tuple[int, ...]:
    """Return the k of which top-k accuracy says something: 1, and of more than five classes 5."""
    return (1, 5) if classes > 5 else (1,)


def ranks(scores: NDArray[Any], labels: NDArray[Any]) -> NDArray[np.int64]:
    """Return the place of each sample's true class among its scores, 0 for the best.

    Of classes with the same score the one of the lower index comes first, as numpy's `argmax` has it. The accuracy
    among the best k is the share of ranks below k.

    Args:
        scores: shape N,C, of any real dtype: logits or probabilities, infinite ones among them.
        labels: shape N, integers in 0..C-1, the true classes.

    Returns:
        Shape N, values in 0..C-1.

    Raises:
        MetricError: shapes that do not fit, scores that are not a number, labels that are no class.
    """
    table = as_array(scores, "scores")
    if table.ndim != 2 or table.shape[1] == 0:
        raise MetricError(f"scores need shape N,C, a row for each sample, not {table.shape}")
    if table.dtype.kind not in "fiu" or np.isnan(table).any():
        raise MetricError("scores must be real numbers")
    classes = _checked_classes(labels, len(table), table.shape[1], "labels")[:, np.newaxis]
    own = np.take_along_axis(table, classes, axis=1)
    is_before = (table > own) | ((table == own) & (np.arange(table.shape[1]) < classes))
    found: NDArray[np.int64] = is_before.sum(axis=1, dtype=np.int64)
    return found


def confusion_matrix(predicted: NDArray[Any], labels: NDArray[Any], classes: int) -> NDArray[np.int64]:
    """Return how many samples of each class were taken for each class.

    Args:
        predicted: shape N, integers in 0..C-1.
        labels: shape N, integers in 0..C-1, the true classes.
        classes: C, 1 or more.

    Returns:
        Shape C,C: the true class by rows, the predicted one by columns.

    Raises:
        MetricError: shapes that do not fit, values that are no class, no classes.
    """
    classes = check_value("classes", classes, int, MetricError, at_least=1)
    labels = as_array(labels, "labels")
    truth = _checked_classes(labels, labels.size, classes, "labels")
    answers = _checked_classes(predicted, len(truth), classes, "predictions")
    counts = np.bincount(truth * classes + answers, minlength=classes**2)
    return counts.reshape(classes, classes).astype(np.int64, copy=False)


def _checked_classes(indices: NDArray[Any], count: int, classes: int, name: str) -> NDArray[np.int64]:
    array = as_array(indices, name)
    if array.size == 0 and count == 0:
        # An empty list is an array of floats for numpy.
        array = array.astype(np.int64)
    if array.shape != (count,) or array.dtype.kind not in "iu":
        raise MetricError(f"{name} must be {count} integers, not {array.dtype} of shape {array.shape}")
    if count and not (array.min() >= 0 and array.max() < classes):
        raise MetricError(f"{name} must lie in 0..{classes - 1}, not in {array.min()}..{array.max()}")
    return array.astype(np.int64, copy=False)


def _checked_proportion(successes: int, trials: int) -> tuple[int, int]:
    successes = check_value("successes", successes, int, MetricError, at_least=0)
    trials = check_value("trials", trials, int, MetricError, at_least=0)
    if successes > trials:
        raise MetricError(f"{successes} successes in {trials} trials cannot be")
    return successes, trials

"""Ranks, proportions with their intervals, and confusion."""

from __future__ import annotations

import math
import re
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from quovadis.errors import MetricError
from quovadis.metrics import Proportion, WilsonInterval, confusion_matrix, ranks, wilson_interval

SCORES = st.integers(1, 6).flatmap(
    lambda classes: st.lists(
        st.tuples(st.tuples(*[st.integers(0, 3).map(float)] * classes), st.integers(0, classes - 1)),
        min_size=1,
        max_size=12,
    )
)
"""Rows of scores, many of them tied, and true classes."""


def test_the_best_score_has_rank_0() -> None:
    scores = np.array([[0.1, 0.7, 0.2], [0.1, 0.7, 0.2], [0.1, 0.7, 0.2]])
    assert ranks(scores, np.array([1, 2, 0])).tolist() == [0, 1, 2]


def test_of_tied_scores_the_lower_class_comes_first() -> None:
    assert ranks(np.zeros((4, 4)), np.arange(4)).tolist() == [0, 1, 2, 3]
    assert ranks(np.array([[1, 5, 5, 0]]), np.array([2])).tolist() == [1]


@given(SCORES)
def test_ranks_are_places_in_a_stable_sort_and_0_where_argmax_is_right(
    rows: list[tuple[tuple[float, ...], int]],
) -> None:
    scores, labels = np.array([row for row, _ in rows]), np.array([label for _, label in rows])
    order = np.argsort(-scores, axis=1, kind="stable")
    made = ranks(scores, labels)
    assert made.dtype == np.int64
    assert made.tolist() == [list(places).index(label) for places, label in zip(order, labels, strict=True)]
    np.testing.assert_array_equal(made == 0, scores.argmax(axis=1) == labels)


def test_scores_may_be_infinite_and_there_may_be_none() -> None:
    assert ranks(np.array([[-np.inf, 0.0, np.inf]]), np.array([0])).tolist() == [2]
    assert ranks(np.zeros((0, 3)), np.zeros(0, np.int64)).shape == (0,)


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        (np.zeros(3), [0], "scores need shape N,C, a row for each sample, not (3,)"),
        (np.zeros((2, 0)), [0, 0], "scores need shape N,C, a row for each sample, not (2, 0)"),
        (np.array([[0.0, np.nan]]), [0], "scores must be real numbers"),
        (np.array([["a", "b"]]), [0], "scores must be real numbers"),
        (np.zeros((2, 3)), [0], "labels must be 2 integers, not int64 of shape (1,)"),
        (np.zeros((2, 3)), [0.0, 1.0], "labels must be 2 integers, not float64 of shape (2,)"),
        (np.zeros((2, 3)), [0, 3], "labels must lie in 0..2, not in 0..3"),
        (np.zeros((2, 3)), [-1, 0], "labels must lie in 0..2, not in -1..0"),
    ],
)
def test_scores_and_labels_that_do_not_fit_are_refused(
    scores: NDArray[np.float64], labels: list[int], message: str
) -> None:
    with pytest.raises(MetricError, match=re.escape(message)):
        ranks(scores, np.array(labels))


@pytest.mark.parametrize(
    ("successes", "trials", "expected"),
    [
        (8, 10, (0.4902, 0.9433)),
        (0, 10, (0.0, 0.2775)),
        (10, 10, (0.7225, 1.0)),
        (1, 29, (0.0061, 0.1718)),  # Newcombe 1998, table I, method 3
        (81, 263, (0.2553, 0.3662)),  # the same
    ],
)
def test_wilson_intervals_are_the_published_ones(successes: int, trials: int, expected: tuple[float, float]) -> None:
    assert wilson_interval(successes, trials) == pytest.approx(expected, abs=5e-5)


@given(trials=st.integers(1, 10**6), share=st.floats(0, 1), confidence=st.floats(0.01, 0.999))
def test_the_ends_of_a_wilson_interval_are_just_not_rejected_by_the_score_test(
    trials: int, share: float, confidence: float
) -> None:
    successes = round(share * trials)
    score = NormalDist().inv_cdf((1 + confidence) / 2)
    rate = successes / trials
    interval = wilson_interval(successes, trials, confidence)
    assert 0 <= interval.lower <= rate <= interval.upper <= 1
    # Each end p solves (rate - p)² = z² p (1 - p) / n.
    for end in interval:
        assert (rate - end) ** 2 == pytest.approx(score**2 * end * (1 - end) / trials, rel=1e-6, abs=1e-12)
    mirrored = wilson_interval(trials - successes, trials, confidence)
    assert (1 - interval.upper, 1 - interval.lower) == pytest.approx(mirrored, abs=1e-12)


def test_without_trials_the_interval_says_nothing_and_without_successes_it_begins_at_0() -> None:
    assert wilson_interval(0, 0) == WilsonInterval(lower=0.0, upper=1.0)
    for trials in range(1, 200):
        assert wilson_interval(0, trials).lower == 0
        assert wilson_interval(trials, trials).upper == 1


def test_a_proportion_has_a_value_and_an_interval() -> None:
    proportion = Proportion(successes=8, trials=10)
    assert proportion.value == 0.8
    assert proportion.interval == wilson_interval(8, 10, 0.95)
    assert math.isnan(Proportion(0, 0).value)
    assert Proportion(0, 0).interval == (0, 1)


def test_counts_of_numpy_do_not_overflow() -> None:
    half = np.int64(4 * 10**9)
    assert wilson_interval(half, 2 * half) == wilson_interval(int(half), 2 * int(half))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("successes", "trials", "message"),
    [
        (3, 2, "3 successes in 2 trials cannot be"),
        (-1, 2, "successes must be 0 or more, not -1"),
        (0.5, 2, "whole number"),
    ],
)
def test_a_proportion_that_cannot_be_is_refused(successes: int, trials: int, message: str) -> None:
    for make in (Proportion, wilson_interval):
        with pytest.raises(MetricError, match=message):
            make(successes, trials)


def test_confusion_has_the_truth_in_rows_and_the_prediction_in_columns() -> None:
    made = confusion_matrix(predicted=np.array([0, 2, 2, 1]), labels=np.array([0, 0, 0, 2]), classes=3)
    assert made.dtype == np.int64
    assert made.tolist() == [[1, 0, 2], [0, 0, 0], [0, 1, 0]]
    assert confusion_matrix(np.zeros(0, int), np.zeros(0, int), 2).tolist() == [[0, 0], [0, 0]]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=40))
def test_rows_of_confusion_count_the_classes_and_its_diagonal_the_hits(pairs: list[tuple[int, int]]) -> None:
    predicted, labels = (np.array(column, np.uint8) for column in zip(*pairs, strict=True))
    made = confusion_matrix(predicted, labels, 5)
    np.testing.assert_array_equal(made.sum(axis=1), np.bincount(labels, minlength=5))
    np.testing.assert_array_equal(made.sum(axis=0), np.bincount(predicted, minlength=5))
    assert np.trace(made) == (predicted == labels).sum()


def test_confusion_refuses_what_is_no_class() -> None:
    with pytest.raises(MetricError, match=re.escape("predictions must lie in 0..1, not in 0..2")):
        confusion_matrix(np.array([0, 2]), np.array([0, 1]), 2)
    with pytest.raises(MetricError, match=re.escape("predictions must be 2 integers, not int64 of shape (3,)")):
        confusion_matrix(np.array([0, 1, 1]), np.array([0, 1]), 2)
    with pytest.raises(MetricError, match=re.escape("labels must be 2 integers, not int64 of shape (1, 2)")):
        confusion_matrix(np.array([0, 1]), np.array([[0, 1]]), 2)
    with pytest.raises(MetricError, match="classes must be 1 or more, not 0"):
        confusion_matrix(np.array([0]), np.array([0]), 0)

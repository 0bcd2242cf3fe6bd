"""Streaming mean and covariance."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from quovadis.errors import MetricError
from quovadis.metrics import Moments


def drawn(seed: int, count: int, dimension: int, offset: float = 0.0) -> NDArray[np.float64]:
    """Correlated features, of different scales."""
    generator = np.random.default_rng(seed)
    return generator.normal(size=(count, dimension)) @ generator.normal(size=(dimension, dimension)) + offset


def assert_alike(first: Moments, second: Moments, relative: float = 1e-9) -> None:
    assert first.count == second.count
    for one, other in ((first.mean, second.mean), (first.scatter, second.scatter)):
        np.testing.assert_allclose(one, other, rtol=relative, atol=relative * max(float(np.abs(other).max()), 1e-300))


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.int16])
def test_moments_are_those_of_numpy_in_double_precision(dtype: type) -> None:
    features = (10 * drawn(0, 200, 7)).astype(dtype)
    moments = Moments.of(features)
    wide = features.astype(np.float64)
    assert (moments.count, moments.dimension) == (200, 7)
    np.testing.assert_allclose(moments.mean, wide.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(moments.covariance(unbiased=True), np.cov(wide.T), rtol=1e-11)
    np.testing.assert_allclose(moments.covariance(unbiased=False), np.cov(wide.T, ddof=0), rtol=1e-11)


def test_a_large_offset_costs_nothing_where_the_sum_of_squares_loses_everything() -> None:
    # A grid of 1/64 is exact in float64 at either place, so the covariance must be the same.
    features = np.round(drawn(1, 3000, 4) * 64) / 64
    far = features + 1e6
    expected = Moments.of(features).covariance(unbiased=True)
    moments = Moments(4)
    for batch in np.array_split(far, 37):
        moments.add(batch)
    # The batches' means carry a rounding of 1e6 · 2⁻⁵³.
    np.testing.assert_allclose(moments.covariance(unbiased=True), expected, rtol=1e-9, atol=1e-9)
    narrow = far.astype(np.float64)
    naive = (narrow.T @ narrow - len(narrow) * np.outer(narrow.mean(axis=0), narrow.mean(axis=0))) / (len(narrow) - 1)
    assert np.abs(naive - expected).max() > 1e-5


@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(0, 60),
    cuts=st.lists(st.integers(0, 60), max_size=6),
    offset=st.sampled_from([0.0, 1.0, 1e3]),
)
def test_shards_merged_or_batches_added_equal_one_pass(seed: int, count: int, cuts: list[int], offset: float) -> None:
    features = drawn(seed, count, 3, offset)
    whole, merged, added = Moments.of(features), Moments(3), Moments(3)
    for part in np.split(features, sorted(min(cut, count) for cut in cuts)):
        merged = merged.merged(Moments.of(part))
        added.add(part)
    assert_alike(merged, whole)
    assert_alike(added, whole)


@given(seed=st.integers(0, 2**32 - 1), counts=st.tuples(*[st.integers(0, 9)] * 3))
def test_merging_is_commutative_and_associative(seed: int, counts: tuple[int, int, int]) -> None:
    first, second, third = (Moments.of(drawn(seed + place, count, 3)) for place, count in enumerate(counts))
    assert_alike(first.merged(second), second.merged(first))
    assert_alike(first.merged(second).merged(third), first.merged(second.merged(third)))


def test_merging_leaves_both_as_they_were() -> None:
    first, second = Moments.of(drawn(2, 5, 3)), Moments.of(drawn(3, 6, 3))
    mean, scatter = first.mean, second.scatter
    together = first.merged(second)
    together.add(drawn(4, 7, 3))
    assert (first.count, second.count, together.count) == (5, 6, 18)
    np.testing.assert_array_equal(first.mean, mean)
    np.testing.assert_array_equal(second.scatter, scatter)


def test_what_is_handed_out_can_be_written_to_without_harm() -> None:
    moments = Moments.of(drawn(5, 9, 2))
    mean, scatter = np.array(moments.mean), np.array(moments.scatter)
    moments.mean[:] = 0
    moments.scatter[:] = 0
    moments.covariance(unbiased=False)[:] = 0
    np.testing.assert_array_equal(moments.mean, mean)
    np.testing.assert_array_equal(moments.scatter, scatter)


def test_what_was_handed_in_can_be_written_to_without_harm() -> None:
    mean, scatter = np.ones(2), np.eye(2)
    moments = Moments.restored(3, mean, scatter)
    mean[:], scatter[:] = 7, 7
    np.testing.assert_array_equal(moments.mean, np.ones(2))
    np.testing.assert_array_equal(moments.scatter, np.eye(2))


def test_stored_moments_go_on_where_they_ended() -> None:
    features = drawn(6, 50, 4)
    stored = Moments.of(features[:20])
    restored = Moments.restored(stored.count, stored.mean, stored.scatter)
    restored.add(features[20:])
    assert_alike(restored, Moments.of(features))
    assert stored.count == 20
    assert_alike(Moments.restored(0, np.zeros(4), np.zeros((4, 4))), Moments(4))


def test_the_mean_of_many_is_rounded_once_and_identical_features_have_no_variance() -> None:
    values = np.linspace(0.1, 0.7, 5)
    many = np.tile(values, (40_000, 1))
    assert np.abs(many.mean(axis=0) - values).max() > 1e-14
    moments = Moments.of(many)
    np.testing.assert_allclose(moments.mean, values, rtol=1e-15)
    covariance = moments.covariance(unbiased=True)
    np.testing.assert_allclose(covariance, 0, atol=1e-30)
    assert np.linalg.eigvalsh(covariance).min() >= -1e-5 * np.linalg.eigvalsh(covariance).max()


def test_a_covariance_needs_samples() -> None:
    moments = Moments(2)
    for unbiased in (True, False):
        with pytest.raises(MetricError, match="0 samples are too few"):
            moments.covariance(unbiased=unbiased)
    moments.add(np.ones((1, 2)))
    with pytest.raises(MetricError, match="1 sample is too few for a covariance; give 2 or more"):
        moments.covariance(unbiased=True)
    np.testing.assert_array_equal(moments.covariance(unbiased=False), np.zeros((2, 2)))


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.zeros(3), "not (3,)"),
        (np.zeros((2, 3, 1)), "not (2, 3, 1)"),
        (np.zeros((2, 0)), "not (2, 0)"),
        (np.zeros((2, 4)), "moments of 3 dimensions cannot take features of 4"),
        (np.array([[1, np.nan, 2]]), "infinite or not a number"),
        (np.array([[1, 2, -np.inf]]), "infinite or not a number"),
        (np.array([[1, 2, 1e200]]), "beyond 1e+100"),
        (np.zeros((2, 3), complex), "real numbers, not complex128"),
        (np.zeros((2, 3), bool), "real numbers, not bool"),
    ],
)
def test_a_batch_that_cannot_be_is_refused_whole(features: NDArray[np.float64], message: str) -> None:
    moments = Moments(3)
    moments.add(drawn(7, 4, 3))
    mean, scatter = moments.mean, moments.scatter
    with pytest.raises(MetricError, match=re.escape(message)):
        moments.add(features)
    assert moments.count == 4
    np.testing.assert_array_equal(moments.mean, mean)
    np.testing.assert_array_equal(moments.scatter, scatter)


def test_moments_of_different_dimensions_are_not_merged() -> None:
    with pytest.raises(MetricError, match="moments of 2 dimensions cannot take features of 3"):
        Moments(2).merged(Moments(3))
    with pytest.raises(MetricError, match="dimension must be 1 or more, not 0"):
        Moments(0)


@pytest.mark.parametrize(
    ("count", "mean", "scatter", "message"),
    [
        (-1, [0.0, 0.0], np.eye(2), "must be 0 or more, not -1"),
        (2.5, [0.0, 0.0], np.eye(2), "whole number, not 2.5"),
        (3, [[0.0, 0.0]], np.eye(2), "needs shape D, not (1, 2)"),
        (3, [0.0, 0.0], np.eye(3), "needs shape 2,2 to fit its mean, not (3, 3)"),
        (3, [0.0, np.nan], np.eye(2), "the mean of stored moments hold values that are infinite or not a number"),
        (3, [0.0, 0.0], [[1.0, 0.5], [0.0, 1.0]], "not symmetric: entries differ from their mirror images by 0.5"),
        (3, [0.0, 0.0], [[1.0, 0.0], [0.0, -1.0]], "negative variance -1"),
        (0, [0.0, 1.0], np.zeros((2, 2)), "0 samples cannot have"),
        (1, [0.0, 1.0], np.eye(2), "1 samples cannot have"),
    ],
)
def test_stored_moments_that_cannot_be_are_refused(
    count: int, mean: list[float], scatter: NDArray[np.float64], message: str
) -> None:
    with pytest.raises(MetricError, match=re.escape(message)):
        Moments.restored(count, np.array(mean), np.array(scatter))

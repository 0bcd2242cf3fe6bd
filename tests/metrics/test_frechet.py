"""The Fréchet distance, against closed forms and the formula as it is printed."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from quovadis.errors import MetricError
from quovadis.metrics import Moments, frechet_distance, fvd

VARIANCE = st.floats(1e-3, 100)
"""Well above the rounding of the largest: of what is lost in it, only the root remains, and that is large."""


def drawn(seed: int, count: int, dimension: int) -> NDArray[np.float64]:
    """Correlated features, of different scales."""
    generator = np.random.default_rng(seed)
    return generator.normal(size=(count, dimension)) @ generator.normal(size=(dimension, dimension)) + 0.3 * seed


def rotation(seed: int, dimension: int) -> NDArray[np.float64]:
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(dimension, dimension)))[0]


@pytest.mark.parametrize(("count", "dimension"), [(50, 400), (2, 300), (500, 40)])
def test_a_set_is_at_distance_0_from_itself_even_of_fewer_samples_than_dimensions(count: int, dimension: int) -> None:
    features = np.random.default_rng(0).normal(scale=30, size=(count, dimension))
    assert fvd(features, features) == pytest.approx(0, abs=1e-6)
    assert fvd(features, features[::-1], covariance="population") == pytest.approx(0, abs=1e-6)


def test_rounding_never_makes_it_negative() -> None:
    for seed in range(40):
        features = np.random.default_rng(seed).normal(scale=30, size=(20, 15))
        assert 0 <= fvd(features, features[::-1]) < 1e-9


def test_fewer_samples_than_dimensions_are_as_exact_as_in_the_space_that_they_span() -> None:
    first, second = drawn(1, 30, 12), drawn(2, 40, 12)
    wide = rotation(3, 300)[:12]
    assert fvd(first @ wide, second @ wide) == pytest.approx(fvd(first, second), rel=1e-10)


def test_a_shift_alone_is_the_square_of_its_length() -> None:
    features = drawn(4, 20, 50)
    assert fvd(features, features + 0.5) == pytest.approx(50 * 0.5**2, rel=1e-9)


@given(seed=st.integers(0, 2**31), gaussians=st.lists(st.tuples(VARIANCE, VARIANCE, st.floats(-9, 9)), min_size=1))
def test_gaussians_along_the_same_axes_follow_the_closed_form(
    seed: int, gaussians: list[tuple[float, float, float]]
) -> None:
    first, second, shift = (np.array(column) for column in zip(*gaussians, strict=True))
    axes, nowhere = rotation(seed, len(shift)), np.zeros(len(shift))
    expected = np.square(np.sqrt(first) - np.sqrt(second)).sum() + np.square(shift).sum()
    distance = frechet_distance(nowhere, axes * first @ axes.T, axes @ shift, axes * second @ axes.T)
    assert distance == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(st.lists(st.tuples(st.just(0.0) | VARIANCE, st.just(0.0) | VARIANCE), min_size=1))
def test_axes_without_variance_follow_it_too(variances: list[tuple[float, float]]) -> None:
    first, second = (np.array(column) for column in zip(*variances, strict=True))
    expected = np.square(np.sqrt(first) - np.sqrt(second)).sum()
    nowhere = np.zeros(len(first))
    distance = frechet_distance(nowhere, np.diag(first), nowhere, np.diag(second))
    assert distance == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_2x2_gaussians_along_different_axes_follow_the_closed_form() -> None:
    first, second = np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([[5.0, -1.0], [-1.0, 1.0]])
    # AB = [[9, -1], [2, 2]] has the trace 11 and the determinant 20, and tr √M = √(tr M + 2 √det M) of 2x2 matrices.
    expected = (1 + 4) + 5 + 6 - 2 * math.sqrt(11 + 2 * math.sqrt(20))
    assert frechet_distance(np.array([0, 0]), first, np.array([1, -2]), second) == pytest.approx(expected, rel=1e-13)


def test_without_any_spread_only_the_means_count() -> None:
    nothing = np.zeros((2, 2))
    assert frechet_distance(np.zeros(2), nothing, np.array([3.0, 4.0]), nothing) == 25
    assert frechet_distance(np.zeros(2), nothing, np.zeros(2), np.eye(2)) == 2
    assert fvd(np.full((9, 3), 0.1), np.full((5, 3), 0.1)) == pytest.approx(0, abs=1e-12)


# 400 are those of the original metric, the logits.
@pytest.mark.parametrize("dimension", [24, 400])
def test_it_is_the_printed_formula_where_that_is_stable(dimension: int) -> None:
    first, second = Moments.of(drawn(5, 3000, dimension)), Moments.of(drawn(6, 2000, dimension))
    covariances = first.covariance(unbiased=True), second.covariance(unbiased=True)
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1])
    expected = np.square(first.mean - second.mean).sum() + np.trace(covariances[0] + covariances[1] - 2 * root.real)
    assert frechet_distance(first.mean, covariances[0], second.mean, covariances[1]) == pytest.approx(
        expected, rel=1e-6
    )


def test_the_two_conventions_differ_by_the_division_of_the_scatter() -> None:
    first, second = drawn(7, 9, 4), drawn(8, 15, 4)
    for covariance, spare in (("unbiased", 1), ("population", 0)):
        moments = [(part.mean(axis=0), np.cov(part.T, ddof=spare)) for part in (first, second)]
        expected = frechet_distance(*moments[0], *moments[1])
        assert fvd(first, second, covariance=covariance) == pytest.approx(expected, rel=1e-10)
    assert fvd(first, second) == fvd(first, second, covariance="unbiased")
    assert abs(fvd(first, second) - fvd(first, second, covariance="population")) > 1e-3


@given(
    seed=st.integers(0, 2**31),
    counts=st.tuples(st.integers(2, 30), st.integers(2, 30)),
    dimension=st.integers(1, 20),
)
def test_it_is_symmetric_not_negative_and_blind_to_rotation_shift_and_order(
    seed: int, counts: tuple[int, int], dimension: int
) -> None:
    first, second = drawn(seed % 7, counts[0], dimension), drawn(seed % 7 + 1, counts[1], dimension)
    distance = fvd(first, second)
    axes, shift = rotation(seed, dimension), np.random.default_rng(seed).normal(size=dimension)
    assert distance >= 0
    assert fvd(second, first) == pytest.approx(distance, rel=1e-9)
    assert fvd(first @ axes + shift, second @ axes + shift) == pytest.approx(distance, rel=1e-9)
    assert fvd(first[::-1], second) == pytest.approx(distance, rel=1e-9)
    assert fvd(3 * first, 3 * second) == pytest.approx(9 * distance, rel=1e-9)


@given(seed=st.integers(0, 2**31))
def test_its_root_obeys_the_triangle_inequality(seed: int) -> None:
    generator = np.random.default_rng(seed)
    first, second, third = (generator.normal(size=(6, 4)) * generator.uniform(0, 3, size=4) for _ in range(3))
    detour = math.sqrt(fvd(first, second)) + math.sqrt(fvd(second, third))
    assert math.sqrt(fvd(first, third)) <= detour + 1e-9


def test_covariances_rounded_to_single_precision_are_taken() -> None:
    features = np.random.default_rng(9).normal(scale=30, size=(20, 100))
    covariance = np.cov(features.T).astype(np.float32)
    assert np.linalg.eigvalsh(covariance.astype(np.float64)).min() < 0
    distance = frechet_distance(np.zeros(100), covariance, np.zeros(100), np.cov(features.T))
    assert distance == pytest.approx(0, abs=1e-5 * float(np.trace(covariance)))


def test_a_variance_of_a_millionth_of_a_millionth_of_the_largest_counts() -> None:
    first, second = np.diag([1.0, 1e-12]), np.diag([1.0, 4e-12])
    assert frechet_distance(np.zeros(2), first, np.zeros(2), second) == pytest.approx(1e-12, rel=1e-2, abs=0)


def test_the_two_halves_of_a_covariance_have_the_same_say() -> None:
    lopsided = np.array([[2.0, 1.0], [1.00001, 3.0]])
    distances = [frechet_distance(np.zeros(2), matrix, np.ones(2), np.eye(2)) for matrix in (lopsided, lopsided.T)]
    assert distances[0] == distances[1]


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (np.zeros(8), np.zeros((3, 8)), "features A need shape N,D, a row for each sample, not (8,)"),
        (np.zeros((3, 8)), np.zeros(8), "features B need shape N,D, a row for each sample, not (8,)"),
        (np.zeros((3, 8)), np.zeros((3, 9)), "of 8 and of 9 dimensions cannot be compared"),
        (np.zeros((1, 8)), np.zeros((3, 8)), "features A: 1 sample is too few; give 2 or more"),
        (np.zeros((3, 8)), np.zeros((0, 8)), "features B: 0 samples are too few; give 2 or more"),
        (np.zeros((3, 8)), np.full((3, 8), np.nan), "features B hold values that are infinite or not a number"),
    ],
)
def test_features_that_cannot_be_compared_are_named(
    first: NDArray[np.float64], second: NDArray[np.float64], message: str
) -> None:
    with pytest.raises(MetricError, match=re.escape(message)):
        fvd(first, second)


def test_one_sample_has_a_population_covariance_of_0() -> None:
    assert fvd(np.zeros((1, 2)), np.ones((1, 2)), covariance="population") == 2
    with pytest.raises(MetricError, match='unknown covariance "sample": choose unbiased, population'):
        fvd(np.zeros((3, 2)), np.ones((3, 2)), covariance="sample")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("covariance", "message"),
    [
        (np.eye(3), "covariance B needs shape 2,2 to fit its mean, not (3, 3)"),
        ([[1.0, 0.1], [0.0, 1.0]], "covariance B is not symmetric: entries differ from their mirror images by 0.1"),
        ([[1.0, 2.0], [2.0, 1.0]], "covariance B is no covariance: it has the negative eigenvalue -1"),
        ([[1.0, 0.0], [0.0, np.inf]], "covariance B hold values that are infinite or not a number"),
        ([[1.0, 0.0], [0.0, -2.0]], "covariance B has the negative variance -2"),
    ],
)
def test_what_is_no_covariance_is_refused(covariance: NDArray[np.float64], message: str) -> None:
    with pytest.raises(MetricError, match=re.escape(message)):
        frechet_distance(np.zeros(2), np.eye(2), np.zeros(2), np.array(covariance))


def test_means_of_different_lengths_are_refused() -> None:
    with pytest.raises(MetricError, match="Gaussians of 2 and of 3 dimensions"):
        frechet_distance(np.zeros(2), np.eye(2), np.zeros(3), np.eye(3))
    with pytest.raises(MetricError, match=r"mean A needs shape D, not \(\)"):
        frechet_distance(np.array(0.0), np.eye(1), np.zeros(1), np.eye(1))

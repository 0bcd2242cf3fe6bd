"""Bootstrap intervals of statistics of two sets."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from quovadis.errors import MetricError
from quovadis.metrics import BootstrapInterval, bootstrap, fvd


def difference_of_means(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    return float(first.mean() - second.mean())


def drawn(seed: int, count: int, dimension: int = 1) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(count, dimension))


def of(seed: int, resamples: int = 200, **options: float) -> BootstrapInterval:
    return bootstrap(difference_of_means, drawn(1, 60) + 1, drawn(2, 80), resamples=resamples, seed=seed, **options)


def test_the_same_seed_yields_the_same_interval_and_another_one_another() -> None:
    assert of(5) == of(5)
    assert of(5) != of(6)
    assert of(5).estimate == of(6).estimate == difference_of_means(drawn(1, 60) + 1, drawn(2, 80))
    assert of(5).resamples == 200


def test_the_standard_error_of_a_difference_of_means_is_the_textbooks() -> None:
    expected = math.sqrt(drawn(1, 60).var() / 60 + drawn(2, 80).var() / 80)
    made = of(0, resamples=4000)
    # The standard deviation of 4000 values is known to 1 in √8000; 5 of its own errors are admitted.
    assert made.standard_error == pytest.approx(expected, rel=5 / math.sqrt(8000))
    assert abs(made.bias) < 5 * made.standard_error / math.sqrt(4000)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    covered = 0
    for seed in range(200):
        made = bootstrap(
            difference_of_means,
            drawn(2 * seed, 40) + 1,
            drawn(2 * seed + 1, 40),
            resamples=199,
            seed=seed,
            confidence=0.9,
        )
        covered += made.lower <= 1 <= made.upper
    # 180 are expected, give or take 4.2; an interval that were always or hardly ever right fails.
    assert 160 <= covered <= 195


def test_both_sets_are_resampled_each_to_its_own_length() -> None:
    seen: list[tuple[int, int]] = []
    sides: tuple[set[float], set[float]] = (set(), set())

    def statistic(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
        seen.append((len(first), len(second)))
        for side, values in zip(sides, (first, second), strict=True):
            side.add(float(values.mean()))
        return 0.0

    bootstrap(statistic, drawn(1, 6), drawn(2, 9), resamples=20, seed=0)
    assert seen == [(6, 9)] * 21
    assert min(len(side) for side in sides) > 15


def test_quantiles_are_moved_onto_the_estimate_by_the_bias() -> None:
    # A sample's own maximum: resamples can only lie below it.
    values = drawn(3, 50)
    made = bootstrap(lambda first, _: float(first.max()), values, values, resamples=300, seed=0)
    assert made.estimate == values.max()
    assert made.bias < 0
    assert made.lower < made.estimate
    assert made.upper == pytest.approx(made.estimate - made.bias, abs=1e-12)


def test_the_ends_are_the_order_statistics_at_places_of_r_plus_1() -> None:
    values: list[float] = []

    def statistic(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
        values.append(difference_of_means(first, second))
        return values[-1]

    made = bootstrap(statistic, drawn(1, 30), drawn(2, 30), resamples=39, seed=4, confidence=0.95)
    resampled = sorted(values[1:])
    # (39 + 1) · 0.025 = 1: the ends are the lowest and the highest value.
    assert made.lower == pytest.approx(resampled[0] - made.bias, abs=1e-12)
    assert made.upper == pytest.approx(resampled[-1] - made.bias, abs=1e-12)
    assert made.bias == pytest.approx(np.mean(resampled) - values[0], abs=1e-12)
    assert made.standard_error == pytest.approx(np.std(resampled, ddof=1), abs=1e-12)


@pytest.mark.parametrize(("count", "shift"), [(60, 0.0), pytest.param(60, 0.3, marks=pytest.mark.soak), (30, 1.0)])
def test_the_interval_of_a_frechet_distance_covers_that_of_as_many_samples(count: int, shift: float) -> None:
    def distance(seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return drawn(2 * seed, count, 10), drawn(2 * seed + 1, count, 10) + shift

    # Other samples than those that intervals are made of.
    others = [fvd(*distance(seed)) for seed in range(1000, 1400)]
    made = [bootstrap(fvd, *distance(seed), resamples=60, seed=seed) for seed in range(80)]
    covered = sum(one.lower <= np.mean(others) <= one.upper for one in made)
    assert covered >= 72
    assert all(one.lower <= one.estimate <= one.upper for one in made)
    # It is upward biased, and the bootstrap overrates how far it scatters, the more the smaller it is.
    scatter = np.mean([one.standard_error for one in made]) / np.std(others)
    assert 0.9 < scatter < 2.2
    endless = 10 * shift**2
    assert np.mean(others) - endless > 0
    assert 0.5 < np.mean([one.bias for one in made]) / (np.mean(others) - endless) < 2


def test_samples_of_one_group_are_resampled_together() -> None:
    seen: list[set[float]] = []

    def statistic(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
        values, counts = np.unique(first, return_counts=True)
        seen.append({float(value) for value in values})
        # Values 0, 1 and 2 are one group, which is taken whole or not at all, however often.
        assert len({int(counts[values == value].sum()) for value in (0, 1, 2)}) == 1
        return float(first.mean() - second.mean())

    values = np.arange(8.0)[:, np.newaxis]
    groups = np.array([4, 4, 4, 0, 1, 2, 3, 9])
    bootstrap(statistic, values, values, resamples=50, seed=0, groups_a=groups)
    assert len({frozenset(one) for one in seen}) > 10
    alone = {"resamples": 20, "seed": 1}
    assert bootstrap(difference_of_means, values, values, **alone) == bootstrap(  # type: ignore[arg-type]
        difference_of_means,
        values,
        values,
        groups_b=np.arange(8),
        **alone,  # type: ignore[arg-type]
    )
    with pytest.raises(MetricError, match="features A need a group for each of their 8 samples"):
        bootstrap(difference_of_means, values, values, resamples=20, seed=0, groups_a=np.arange(7))


def test_each_resample_is_told() -> None:
    told: list[None] = []
    bootstrap(difference_of_means, drawn(1, 5), drawn(2, 5), resamples=9, seed=0, on_resample=lambda: told.append(None))
    assert len(told) == 9


def test_only_a_floor_cuts_the_interval_off() -> None:
    def squared(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
        return difference_of_means(first, second) ** 2

    first, second = drawn(1, 30), drawn(2, 30)
    free = bootstrap(squared, first, second, resamples=200, seed=0)
    cut = bootstrap(squared, first, second, resamples=200, seed=0, floor=0.0)
    assert free.lower < 0
    assert cut.lower == 0
    assert (cut.upper, cut.estimate) == (free.upper, free.estimate)
    high = bootstrap(squared, first, second, resamples=200, seed=0, floor=9.0)
    assert (high.lower, high.upper) == (9.0, 9.0)


@given(seed=st.integers(0, 2**31), confidences=st.tuples(st.floats(0.01, 0.99), st.floats(0.01, 0.99)))
def test_more_confidence_never_makes_a_narrower_interval(seed: int, confidences: tuple[float, float]) -> None:
    narrow, wide = (of(seed, resamples=30, confidence=confidence) for confidence in sorted(confidences))
    assert wide.lower <= narrow.lower <= narrow.upper <= wide.upper


def test_what_has_no_interval_is_refused() -> None:
    with pytest.raises(MetricError, match="resamples must be 2 or more, not 1"):
        of(0, resamples=1)
    with pytest.raises(MetricError, match="seed must be 0 or more, not -1"):
        of(-1)
    for confidence in (0.0, 1.0):
        with pytest.raises(MetricError, match="a confidence must be between 0 and 1"):
            of(0, confidence=confidence)
    with pytest.raises(MetricError, match="features B need one sample or more"):
        bootstrap(difference_of_means, drawn(1, 3), drawn(2, 0), resamples=9, seed=0)
    with pytest.raises(MetricError, match="the statistic yields nan"):
        bootstrap(lambda *_: math.nan, drawn(1, 3), drawn(2, 3), resamples=9, seed=0)

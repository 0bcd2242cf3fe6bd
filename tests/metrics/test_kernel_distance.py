"""The kernel distance, against its definition."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from quovadis.errors import MetricError
from quovadis.metrics import kvd


def drawn(seed: int, count: int, dimension: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(count, dimension))


def by_definition(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    def kernel(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
        return float((np.dot(one, other) / len(one) + 1) ** 3)

    within = [np.mean([kernel(*pair) for pair in itertools.permutations(part, 2)]) for part in (first, second)]
    between = np.mean([kernel(*pair) for pair in itertools.product(first, second)])
    return float(within[0] + within[1] - 2 * between)


@given(
    seed=st.integers(0, 2**31),
    counts=st.tuples(st.integers(2, 9), st.integers(2, 9)),
    dimension=st.integers(1, 6),
    block_rows=st.integers(1, 12),
)
def test_it_is_its_definition_whatever_the_blocks(
    seed: int, counts: tuple[int, int], dimension: int, block_rows: int
) -> None:
    first, second = drawn(seed, counts[0], dimension), 2 * drawn(seed + 1, counts[1], dimension) + 1
    expected = by_definition(first, second)
    assert kvd(first, second, block_rows=block_rows) == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert kvd(second, first) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_a_worked_example() -> None:
    # Kernels of 1 and 2 among themselves (1·2 + 1)³ = 27, of 0 and 0 1, across 1.
    assert kvd(np.array([[1.0], [2.0]]), np.zeros((2, 1))) == 27 + 1 - 2


def test_of_one_distribution_it_is_0_on_average_and_takes_both_signs() -> None:
    values = np.array([kvd(drawn(2 * seed, 40, 5), drawn(2 * seed + 1, 30, 5)) for seed in range(300)])
    standard_error = values.std(ddof=1) / np.sqrt(len(values))
    assert abs(values.mean()) < 4 * standard_error
    assert values.min() < 0 < values.max()


def test_of_different_distributions_it_is_far_from_0() -> None:
    alike = abs(kvd(drawn(0, 500, 8), drawn(1, 500, 8)))
    assert kvd(drawn(0, 500, 8), drawn(1, 500, 8) + 0.5) > 20 * alike


def test_single_precision_is_computed_in_double() -> None:
    first, second = (drawn(seed, 30, 16).astype(np.float32) * 100 for seed in (3, 4))
    assert kvd(first, second) == kvd(first.astype(np.float64), second.astype(np.float64))


@pytest.mark.parametrize(
    ("first", "second", "block_rows", "message"),
    [
        (np.zeros(8), np.zeros((3, 8)), 4, "features A need shape N,D"),
        (np.zeros((3, 8)), np.zeros((3, 9)), 4, "of 8 and of 9 dimensions"),
        (np.zeros((3, 8)), np.zeros((1, 8)), 4, "features B: 1 sample is too few; give 2 or more"),
        (np.zeros((3, 8)), np.zeros((3, 8)), 0, "block_rows must be 1 or more, not 0"),
        (np.full((3, 8), 1e90), np.zeros((3, 8)), 4, "the features are too large"),
        (np.full((3, 8), np.inf), np.zeros((3, 8)), 4, "features A hold values that are infinite"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    first: NDArray[np.float64], second: NDArray[np.float64], block_rows: int, message: str
) -> None:
    with pytest.raises(MetricError, match=re.escape(message)):
        kvd(first, second, block_rows=block_rows)

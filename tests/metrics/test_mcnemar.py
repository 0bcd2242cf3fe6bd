"""McNemar's exact test, against exact arithmetic and scipy."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from quovadis.errors import MetricError
from quovadis.metrics import mcnemar


def test_worked_examples() -> None:
    assert mcnemar(0, 5) == pytest.approx(2 / 32, rel=1e-14)
    assert mcnemar(1, 5) == pytest.approx(2 * (1 + 6) / 64, rel=1e-14)


@given(only_a=st.integers(0, 80), only_b=st.integers(0, 80))
def test_it_is_twice_the_tail_of_exact_fractions(only_a: int, only_b: int) -> None:
    total = only_a + only_b
    tail = sum(math.comb(total, count) for count in range(min(only_a, only_b) + 1))
    assert mcnemar(only_a, only_b) == pytest.approx(float(min(Fraction(2 * tail, 2**total), 1)), rel=1e-12, abs=0)


@pytest.mark.parametrize(
    ("only_a", "only_b"),
    [(5, 900), (130, 175), (12_000, 12_345), (999_000, 1_000_000), (950_000, 1_000_000), (500_001, 500_000)],
)
def test_it_is_the_binomial_test_of_scipy_up_to_a_million(only_a: int, only_b: int) -> None:
    expected = binomtest(only_a, only_a + only_b, 0.5).pvalue
    assert expected > 0
    assert mcnemar(only_a, only_b) == pytest.approx(expected, rel=1e-9, abs=0)


@given(only_a=st.integers(0, 10**6), only_b=st.integers(0, 10**6))
def test_it_lies_in_0_to_1_and_takes_no_side(only_a: int, only_b: int) -> None:
    value = mcnemar(only_a, only_b)
    assert 0 <= value <= 1
    assert mcnemar(only_b, only_a) == value


@given(total=st.integers(2, 3000).map(lambda half: 2 * half), data=st.data())
def test_a_more_even_split_is_never_less_likely(total: int, data: st.DataObject) -> None:
    only_a = data.draw(st.integers(0, total // 2 - 1))
    assert mcnemar(only_a, total - only_a) <= mcnemar(only_a + 1, total - only_a - 1)


def test_an_even_split_says_nothing() -> None:
    assert [mcnemar(count, count) for count in (0, 1, 7, 1000, 10**6)] == [1, 1, 1, 1, 1]


def test_what_is_beyond_doubt_is_0_without_overflow() -> None:
    assert mcnemar(0, 10**6) == 0
    assert mcnemar(0, 1000) == pytest.approx(2.0**-999, rel=1e-12, abs=0)


@pytest.mark.parametrize(
    ("only_a", "only_b", "message"),
    [(-1, 3, "samples of A alone must be 0 or more, not -1"), (3, 1.5, "samples of B alone must be a whole number")],
)
def test_what_is_no_count_is_refused(only_a: int, only_b: int, message: str) -> None:
    with pytest.raises(MetricError, match=message):
        mcnemar(only_a, only_b)

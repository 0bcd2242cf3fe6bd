"""Minimal filtering: fewer products, the same convolution."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from quovadis.engines.winograd import minimal_filter, transform_3x3x3, transform_stem


@given(
    taps=st.integers(2, 4),
    points=st.lists(st.fractions(-2, 2, max_denominator=2), min_size=3, max_size=6, unique=True),
    data=st.data(),
)
def test_outputs_are_those_of_the_filter(taps: int, points: list[Fraction], data: st.DataObject) -> None:
    minimal = minimal_filter(taps, points)
    outputs, products = minimal.output.shape
    assert products == outputs + taps - 1
    numbers = st.floats(-1, 1, width=32)
    inputs = np.array(data.draw(st.lists(numbers, min_size=products, max_size=products)))
    weights = np.array(data.draw(st.lists(numbers, min_size=taps, max_size=taps)))
    made = minimal.output @ ((minimal.weight @ weights) * (minimal.input @ inputs))
    assert_allclose(made, np.correlate(inputs, weights, "valid"), atol=1e-9)


@pytest.mark.parametrize(
    ("transform", "shape", "points"), [(transform_3x3x3, (3, 3, 3, 5, 7), 144), (transform_stem, (7, 7, 7, 3, 2), 49)]
)
def test_a_transform_is_linear_in_the_kernel(
    transform: Callable[[NDArray[np.float32]], NDArray[np.float32]], shape: tuple[int, ...], points: int
) -> None:
    random = np.random.default_rng(0)
    a, b = random.standard_normal((2, *shape), np.float32)
    assert len(transform(a)) == points
    assert_allclose(transform(a + 2 * b), transform(a) + 2 * transform(b), atol=1e-5)

"""Batch norm folded into convolutions."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from quovadis.architecture import HEAD, STAGES, Convolution, convolution_variables
from quovadis.weights.folding import FoldedConvolution, fold_batch_norm, unfold_batch_norm

UNIT = STAGES[2]
assert isinstance(UNIT, Convolution)
NAMES = convolution_variables(UNIT)


@given(seed=st.integers(0, 2**32 - 1))
def test_a_folded_convolution_equals_convolution_then_batch_norm_with_epsilon_1e_3(seed: int) -> None:
    generator = np.random.default_rng(seed)
    kernel = generator.standard_normal((1, 1, 1, 64, 64)).astype(np.float32)
    beta, mean = generator.standard_normal((2, 64)).astype(np.float32)
    variance = generator.uniform(0, 2, 64).astype(np.float32)
    tensors = {
        NAMES.weights: kernel,
        str(NAMES.beta): beta,
        str(NAMES.moving_mean): mean,
        str(NAMES.moving_variance): variance,
    }
    folded = fold_batch_norm(tensors, UNIT)
    x = generator.standard_normal((5, 64)).astype(np.float32)
    expected = (x @ kernel[0, 0, 0] - mean) / np.sqrt(variance + 1e-3) + beta
    scale = 1 / np.sqrt(variance.min() + 1e-3)
    np.testing.assert_allclose(x @ folded.kernel[0, 0, 0] + folded.bias, expected, atol=1e-4 * max(scale, 1))


def test_the_head_keeps_its_own_kernel_and_bias() -> None:
    names = convolution_variables(HEAD.convolution)
    tensors = {
        names.weights: np.ones((1, 1, 1, 1024, 400), np.float32),
        str(names.bias): np.arange(400, dtype=np.float32),
    }
    folded = fold_batch_norm(tensors, HEAD.convolution)
    assert folded.kernel is tensors[names.weights]
    assert folded.bias is tensors[str(names.bias)]


@given(seed=st.integers(0, 2**32 - 1))
def test_what_was_folded_and_unfolded_folds_to_the_same_bits(seed: int) -> None:
    generator = np.random.default_rng(seed)
    bits = generator.integers(0, 0x7F000000, 4096).astype(np.uint32)  # every exponent, no infinity
    kernel = bits.view(np.float32).reshape(1, 1, 1, 64, 64)
    folded = FoldedConvolution(kernel, kernel[0, 0, 0, 0])

    def values(unit: Convolution) -> FoldedConvolution:
        return folded

    tensors = unfold_batch_norm(values)
    again = fold_batch_norm(tensors, UNIT)
    assert np.array_equal(again.kernel, folded.kernel)
    assert np.array_equal(again.bias, folded.bias)

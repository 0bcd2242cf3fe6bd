"""Batch norm folded into the convolution before it: what every inference engine runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import BATCH_NORM_EPSILON, Convolution, convolution_variables


@dataclass(frozen=True)
class FoldedConvolution:
    """One convolution as an inference engine runs it."""

    kernel: NDArray[np.float32]
    """Shape t, h, w, in, out."""
    bias: NDArray[np.float32]
    """Shape out."""


def fold_batch_norm(tensors: Mapping[str, NDArray[np.float32]], convolution: Convolution) -> FoldedConvolution:
    """Fold the batch norm of `convolution`, if it has one, into its kernel and a bias.

    kernel' = kernel / sqrt(moving_variance + epsilon), bias = beta - moving_mean / sqrt(moving_variance + epsilon):
    batch norm without a scale, as Sonnet 1 makes it by default. Computed in float64, returned in float32.

    Args:
        tensors: variables by their original names, as `architecture.variable_shapes` lists them.
        convolution: a row of the architecture.
    """
    names = convolution_variables(convolution)
    kernel = tensors[names.weights]
    if names.bias is not None:
        return FoldedConvolution(kernel, tensors[names.bias])
    beta, mean, variance = (
        tensors[name].astype(np.float64)
        for name in (names.beta, names.moving_mean, names.moving_variance)
        if name is not None
    )
    factor = 1.0 / np.sqrt(variance + BATCH_NORM_EPSILON)
    return FoldedConvolution((kernel * factor).astype(np.float32), (beta - mean * factor).astype(np.float32))

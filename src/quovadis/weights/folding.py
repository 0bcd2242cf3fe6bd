"""Batch norm folded into the convolution before it: what every inference engine runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import BATCH_NORM_EPSILON, Convolution, convolution_variables, convolutions
from quovadis.errors import WeightsError


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


def unfold_batch_norm(folded: Callable[[Convolution], FoldedConvolution]) -> dict[str, NDArray[np.float32]]:
    """Express folded convolutions in the original variables, with a batch norm that changes nothing.

    Mean 0 and variance 1 - epsilon: folding the result again gives the same kernels and biases, because the rounding of
    the variance moves no value by half of float32's last place.

    Args:
        folded: called with every convolution of the architecture.
    """
    tensors: dict[str, NDArray[np.float32]] = {}
    for convolution, _ in convolutions():
        names, values = convolution_variables(convolution), folded(convolution)
        tensors[names.weights] = values.kernel
        tensors[names.bias or str(names.beta)] = values.bias
        if names.bias is None:
            tensors[str(names.moving_mean)] = np.zeros_like(values.bias)
            tensors[str(names.moving_variance)] = np.full_like(values.bias, 1 - BATCH_NORM_EPSILON)
    return tensors


def read_folded(value: Callable[[str], NDArray[np.float32]], path: Path) -> dict[str, NDArray[np.float32]]:
    """Read the folded convolutions of a graph of our own, as `unfold_batch_norm` expresses them.

    Args:
        value: called with the names of kernels, of shape out, in, t, h, w, and of biases.
        path: the graph's file.

    Raises:
        WeightsError: a kernel has not five axes.
    """

    def folded(unit: Convolution) -> FoldedConvolution:
        kernel = value(kernel_name(unit))
        if kernel.ndim != 5:
            raise WeightsError(f"{path}: tensor {kernel_name(unit)} has the shape {kernel.shape}, which is no kernel")
        return FoldedConvolution(kernel.transpose(2, 3, 4, 1, 0), value(bias_name(unit)).reshape(-1))

    return unfold_batch_norm(folded)


def kernel_name(convolution: Convolution) -> str:
    """Return what our own graphs call the folded kernel."""
    return f"{convolution.scope}/kernel"


def bias_name(convolution: Convolution) -> str:
    """Return what our own graphs call the folded bias."""
    return f"{convolution.scope}/bias"

"""Channels of very different size made alike, without changing what the network computes: a help to 8-bit integers.

A channel that is multiplied by a positive number after its convolution, and divided by it where it is read, changes
nothing, because ReLU, max pools and concatenation let such a number through (Nagel et al., "Data-Free Quantization
Through Weight Equalization and Bias Correction", ICCV 2019, section 4.1). What is read by the head keeps its scale.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import (
    HEAD,
    INPUT_CHANNELS,
    STAGES,
    Convolution,
    MaxPool,
    Mixed,
    convolution_variables,
    convolutions,
    interpret,
)

Scales = Mapping[str, NDArray[np.float32]]
"""Factor of each output channel, by scope of the convolution."""
_SMALLEST_SHARE = 1e-3
"""A channel that is never on must not be blown up."""


class _ScaleOperations:
    """The verbs of `architecture.interpret`, on the factors of a tensor's channels."""

    def __init__(self, scales: Scales) -> None:
        self._scales = scales
        self.inputs: dict[str, NDArray[np.float32]] = {}
        """Factors of what each convolution reads, by its scope."""

    def convolution(self, x: NDArray[np.float32], unit: Convolution) -> NDArray[np.float32]:
        self.inputs[unit.scope] = x
        return self._scales[unit.scope]

    def max_pool(self, x: NDArray[np.float32], unit: MaxPool) -> NDArray[np.float32]:
        return x

    def concatenate(self, branches: list[NDArray[np.float32]], unit: Mixed) -> NDArray[np.float32]:
        return np.concatenate(branches)


def endpoint_scales(scales: Scales) -> dict[str, NDArray[np.float32]]:
    """Return by which factor each channel of each endpoint is larger than the original network's."""
    return dict(interpret(_ScaleOperations(scales), np.ones(INPUT_CHANNELS, np.float32)))


def equalize(tensors: Mapping[str, NDArray[np.float32]], scales: Scales) -> dict[str, NDArray[np.float32]]:
    """Return tensors of a network that computes the same, its channels multiplied by `scales` on the way."""
    operations = _ScaleOperations(scales)
    *_, (_, last) = interpret(operations, np.ones(INPUT_CHANNELS, np.float32))
    operations.inputs[HEAD.convolution.scope] = last
    equalized = dict(tensors)
    for unit, _ in convolutions():
        names, scale = convolution_variables(unit), scales.get(unit.scope, np.float32(1))
        equalized[names.weights] = tensors[names.weights] / operations.inputs[unit.scope][:, np.newaxis] * scale
        for name in (names.beta, names.moving_mean):
            if name is not None:
                equalized[name] = tensors[name] * scale
    return equalized


def equalizing_scales(channel_maxima: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    """Return factors that bring each channel half of the way, in logarithms, to the largest of its tensor.

    Half, because what activations gain the weights that read them lose. The units that the head reads keep theirs.

    Args:
        channel_maxima: greatest activation of each output channel, by scope of the convolution.
    """
    last_stage = STAGES[-1]
    kept = {branch[-1].scope for branch in last_stage.branches} if isinstance(last_stage, Mixed) else set()
    scales = {}
    for scope, maxima in channel_maxima.items():
        ratio = maxima.max() / np.maximum(maxima, _SMALLEST_SHARE * maxima.max())
        scales[scope] = np.ones_like(maxima) if scope in kept else np.sqrt(ratio).astype(np.float32)
    return scales

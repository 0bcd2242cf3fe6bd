"""The tensors of I3D, made from those of a network for images."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import STAGES, convolution_variables, convolutions, is_head
from quovadis.inflation.image_weights import ImageHead, ImageWeights
from quovadis.inflation.input_scaling import InputScaling, fold_scaling


def inflate_tensors(
    images: ImageWeights, head: ImageHead, scaling: InputScaling = "symmetric"
) -> dict[str, NDArray[np.float32]]:
    """Return I3D's 230 tensors by original name.

    Args:
        images: the network for images.
        head: the last layer, the network's own or a new one.
        scaling: what its pixels were scaled to.
    """
    tensors: dict[str, NDArray[np.float32]] = {}
    # A scale can make a number too large for float32: it becomes infinite, which whoever checks weights finds.
    with np.errstate(over="ignore"):
        for name, tensor, extent in _tensors(images, head, scaling):
            values = tensor.astype("<f4")
            # Filters are repeated along time, and divided by their temporal extent (paper, section 3).
            tensors[name] = values if extent is None else np.repeat(values[None] / np.float32(extent), extent, axis=0)
    return tensors


def _tensors(
    images: ImageWeights, head: ImageHead, scaling: InputScaling
) -> Iterator[tuple[str, NDArray[np.float64], int | None]]:
    """Yield name, values and, of a kernel that lacks the axis of time, its extent along it."""
    for unit, _ in convolutions():
        names = convolution_variables(unit)
        if is_head(unit):
            yield names.weights, head.kernel[None, None], unit.kernel[0]
            yield str(names.bias), head.bias, None
            continue
        layer = images.layers[unit.scope]
        kernel, mean = layer.kernel, layer.moving_mean
        if unit == STAGES[0]:
            kernel, mean = fold_scaling(kernel, mean, scaling)
        yield names.weights, kernel, unit.kernel[0]
        yield str(names.beta), layer.beta, None
        yield str(names.moving_mean), mean, None
        yield str(names.moving_variance), layer.moving_variance, None


def new_head(num_classes: int, seed: int) -> ImageHead:
    """Return a last layer with random weights, initialised as Sonnet 1 does (sonnet/python/modules/conv.py).

    The kernel is drawn from a normal distribution of variance 1 / features, cut off at two standard deviations; the
    bias is 0. The same seed gives the same weights.
    """
    features = next(channels for unit, channels in convolutions() if is_head(unit))
    generator = np.random.default_rng(seed)
    values = generator.standard_normal((features, num_classes))
    while (outside := np.abs(values) > 2).any():
        values[outside] = generator.standard_normal(np.count_nonzero(outside))
    return ImageHead(values / sqrt(features), np.zeros(num_classes))

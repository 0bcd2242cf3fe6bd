"""How a network for images scaled its pixels, and the first layer that takes I3D's instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import PIXEL_MEAN, PIXEL_SCALE

InputScaling: TypeAlias = Literal["symmetric", "unit", "imagenet"]
"""What the network was trained on: values from -1 to 1, values from 0 to 1, or these less ImageNet's mean and divided
by its standard deviation."""

_MAX_PIXEL = 255
_MEAN_AND_DEVIATION: Mapping[InputScaling, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "symmetric": ((0.5,) * 3, (0.5,) * 3),
    "unit": ((0.0,) * 3, (1.0,) * 3),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
"""Of red, green and blue, from 0 to 1."""


def fold_scaling(
    kernel: NDArray[np.float64], moving_mean: NDArray[np.float64], scaling: InputScaling
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the first layer's kernel and the mean of its batch norm for I3D's input in place of the network's own.

    I3D's input is x = 2p - 1 for a pixel p from 0 to 1, the network's own z = (p - mean) / deviation, which is
    a x + b with a = 1 / (2 deviation) and b = (1/2 - mean) / deviation. The factor a goes into the kernel. What the
    kernel makes of b is a constant, which is taken off the mean. It is right wherever the kernel sees pixels only:
    padding is 0 in both networks, which here stands for mid-grey and there for the mean colour.

    Args:
        kernel: shape h, w, in, out.
        moving_mean: shape out.
        scaling: the network's own.
    """
    mean, deviation = (np.array(values) for values in _MEAN_AND_DEVIATION[scaling])
    half_range, middle = PIXEL_SCALE / _MAX_PIXEL, PIXEL_MEAN / _MAX_PIXEL
    factor, offset = half_range / deviation, (middle - mean) / deviation
    constant = np.einsum("hwio,i->o", kernel, offset)
    return kernel * factor[:, None], moving_mean - constant

"""What the native network computes in: float32, or 8-bit feature maps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import (
    HEAD,
    INPUT_CHANNELS,
    Convolution,
    MaxPool,
    Mixed,
    convolutions,
    interpret,
    is_head,
)
from quovadis.engines.native_amx import pack_3x3x3, pack_pointwise, pack_stem
from quovadis.engines.native_integers import QMAX, WIDE_QMAX, bounds_3x3x3, bounds_stem, pack_integers
from quovadis.engines.native_library import (
    LANES,
    AmxConvolution,
    AmxStem,
    BufferView,
    IntegerConvolution,
    KernelGeometry,
    Kernels,
    PackedConvolution,
    pack,
    padded_channels,
)
from quovadis.engines.quantization import Quantization
from quovadis.engines.winograd import transform_3x3x3, transform_stem
from quovadis.errors import EngineError
from quovadis.weights.equalization import endpoint_scales, equalize
from quovadis.weights.folding import FoldedConvolution, fold_batch_norm

Tensors: TypeAlias = Mapping[str, NDArray[np.float32]]
Run: TypeAlias = Callable[[Kernels, BufferView, BufferView], None]
"""Computes the frames of its last argument from those of the one before."""

WIDE = ("Conv3d_1a_7x7",)
"""Scopes of convolutions whose outputs have 12 bits.

In 8 bits, as large as the greatest ever seen, the stem's mean outputs would be a few levels above 0: by itself that
changes logits by 0.054 (root mean square over real clips), all other feature maps together by 0.044.
"""
READS_WIDE = ("Conv3d_2b_1x1",)
"""Scopes of the convolutions that read them, through a pool."""
IN_BYTES = ("Mixed_3b", "Mixed_3c")
"""Endpoints whose 1x1x1 convolutions have 8-bit weights: where it saves time and changes the answers least.

Over 58 windows of real clips the mean change of the top-1 probability is 0.0053, and 0.0049 if none has; 0.0085 and
a worst change of 0.17 in place of 0.07 if all have (benchmarks/int8_agreement.py).
"""
AMX_IN_BYTES = ("Conv3d_2c_3x3", "Mixed_3b", "Mixed_3c")
"""Scopes whose convolutions have 8-bit weights on the matrix unit, likewise; all others there have 16.

They are more than half of its work: with 16 bits in Mixed_3b and Mixed_3c int8 takes a fifth longer. Over 23 windows of
real clips, with two calibrations, logits are 0.052 and 0.057 from float32's (root mean square), 0.049 if all weights
have 16 bits, and 0.062 and 0.063 on AVX-512. If Mixed_4 has 8-bit weights too, the error of Mixed_5c grows by a third.
"""


class ComputeBackend(Protocol):
    """Weights made ready, and how each unit is computed with them."""

    precision: str
    head: PackedConvolution
    """In float32 whatever the rest; its output channels are padded, as all are in memory."""
    num_classes: int
    """How many of the head's outputs are classes."""

    def convolution(self, unit: Convolution, window: KernelGeometry, dtype: type[np.generic]) -> Run:
        """Return what applies a convolution, its bias and ReLU to a feature map, or pixels, kept in `dtype`."""
        ...

    def output_dtype(self, unit: Convolution) -> type[np.generic]:
        """Return in what a convolution's feature map is kept."""
        ...

    def max_pool(self, channels: int, window: KernelGeometry, dtype: type[np.generic]) -> Run:
        """Return what applies a max pool to a feature map kept in `dtype`."""
        ...

    def decode(self, endpoint: str, values: NDArray[np.generic]) -> NDArray[np.float32]:
        """Return a copy of an endpoint's values, channels last, as the original network has them."""
        ...


class FloatBackend:
    """Everything in float32."""

    precision = "f32"

    def __init__(self, tensors: Tensors) -> None:
        """Fold, transform and pack every convolution.

        Args:
            tensors: variables by their original names.

        Raises:
            EngineError: the architecture has a convolution that no kernel computes.
        """
        folded = {unit: fold_batch_norm(tensors, unit) for unit, _ in convolutions()}
        self._packed = {unit.scope: _pack_float(unit, convolution) for unit, convolution in folded.items()}
        self.head = self._packed[HEAD.convolution.scope]
        self.num_classes = len(folded[HEAD.convolution].bias)

    def convolution(self, unit: Convolution, window: KernelGeometry, dtype: type[np.generic]) -> Run:
        """Return what applies a convolution, its bias and ReLU."""
        packed = self._packed[unit.scope]
        match unit.kernel:
            case (1, 1, 1):
                return lambda kernels, x, y: kernels.pointwise(x, packed, y, relu=True)
            case (3, 3, 3):
                return lambda kernels, x, y: kernels.convolve3(x, packed, y)
        floats = dtype == np.float32
        return lambda kernels, x, y: kernels.stem(x, packed, y, window, floats=floats)

    def output_dtype(self, unit: Convolution) -> type[np.generic]:
        """Return float32."""
        return np.float32

    def max_pool(self, channels: int, window: KernelGeometry, dtype: type[np.generic]) -> Run:
        """Return what applies a max pool."""
        return lambda kernels, x, y: kernels.max_pool(x, channels, y, window)

    def decode(self, endpoint: str, values: NDArray[np.generic]) -> NDArray[np.float32]:
        """Return a copy."""
        return values.astype(np.float32)


class IntegerBackend:
    """8-bit feature maps, 16-bit weights, and the head in float32."""

    precision = "int8"

    def __init__(self, tensors: Tensors, quantization: Quantization, *, amx: bool = False) -> None:
        """Fold, transform, round and pack every convolution.

        Args:
            tensors: variables by their original names.
            quantization: what calibration found for them.
            amx: whether to compute on the matrix unit what it can: all but what reads the stem.

        Raises:
            EngineError: the architecture has a convolution that no kernel computes.
        """
        equalized = equalize(tensors, quantization.scales)
        scales = _Scales(quantization)
        maps = dict(interpret(scales, np.full(INPUT_CHANNELS, 2 / QMAX, np.float32)))
        self._map_scales = {name: maps[name] / scale for name, scale in endpoint_scales(quantization.scales).items()}
        self._packed: dict[str, IntegerConvolution] = {}
        self._amx: dict[str, AmxConvolution] = {}
        for unit, _ in convolutions():
            if is_head(unit):
                continue
            folded = fold_batch_norm(equalized, unit)
            if amx and unit.scope not in READS_WIDE:
                self._amx[unit.scope] = _pack_amx(unit, folded, scales)
            else:
                self._packed[unit.scope] = _pack_integers(unit, folded, scales)
        head = fold_batch_norm(tensors, HEAD.convolution)
        self.head, self.num_classes = _pack_float(HEAD.convolution, head), len(head.bias)

    def convolution(self, unit: Convolution, window: KernelGeometry, dtype: type[np.generic]) -> Run:
        """Return what applies a convolution, its bias and ReLU."""
        floats = dtype == np.float32
        if unit.scope in self._amx:
            return _on_amx(unit, self._amx[unit.scope], window, floats=floats)
        packed = self._packed[unit.scope]
        match unit.kernel:
            case (1, 1, 1):
                wide = unit.scope in READS_WIDE
                return lambda kernels, x, y: kernels.integers.pointwise(x, packed, y, wide=wide)
            case (3, 3, 3):
                return lambda kernels, x, y: kernels.integers.convolve3(x, packed, y)
        return lambda kernels, x, y: kernels.integers.stem(x, packed, y, window, floats=floats)

    def output_dtype(self, unit: Convolution) -> type[np.generic]:
        """Return int16 for the stem, uint8 for all others."""
        return np.int16 if unit.scope in WIDE else np.uint8

    def max_pool(self, channels: int, window: KernelGeometry, dtype: type[np.generic]) -> Run:
        """Return what applies a max pool to a feature map kept in `dtype`."""
        stored, wide = padded_channels(channels), dtype == np.int16
        return lambda kernels, x, y: kernels.integers.max_pool(x, stored, y, window, wide=wide)

    def decode(self, endpoint: str, values: NDArray[np.generic]) -> NDArray[np.float32]:
        """Return the values multiplied by their scales."""
        return values.astype(np.float32) * self._map_scales[endpoint]


class _Scales:
    """The verbs of `architecture.interpret`, on the scale of each channel."""

    def __init__(self, quantization: Quantization) -> None:
        self._quantization = quantization
        self.inputs: dict[str, NDArray[np.float32]] = {}
        self.outputs: dict[str, NDArray[np.float32]] = {}

    def convolution(self, x: NDArray[np.float32], unit: Convolution) -> NDArray[np.float32]:
        self.inputs[unit.scope] = x
        # Equalising brings a channel half of the way to the greatest; this is the rest, so that each uses all levels.
        qmax = WIDE_QMAX if unit.scope in WIDE else QMAX
        scale = np.float32(self._quantization.ranges[unit.scope] / qmax)
        self.outputs[unit.scope] = scale / self._quantization.scales[unit.scope]
        return self.outputs[unit.scope]

    def max_pool(self, x: NDArray[np.float32], unit: MaxPool) -> NDArray[np.float32]:
        return x

    def concatenate(self, branches: list[NDArray[np.float32]], unit: Mixed) -> NDArray[np.float32]:
        return np.concatenate(branches)


def _pack_float(unit: Convolution, folded: FoldedConvolution) -> PackedConvolution:
    return pack(_transformed(unit, folded.kernel), folded.bias)


def _pack_integers(unit: Convolution, folded: FoldedConvolution, scales: _Scales) -> IntegerConvolution:
    weights = _transformed(unit, folded.kernel * scales.inputs[unit.scope][:, np.newaxis])
    # Above the greatest that calibration saw the stem's outputs go on to 2^15 - 1.
    bounds = np.array([float(np.iinfo(np.int16).max if unit.scope in READS_WIDE else QMAX)])
    if unit.kernel == (3, 3, 3):
        bounds = bounds_3x3x3()
    elif unit.kernel != (1, 1, 1):
        bounds = bounds_stem()
        # Each line of 7 pixels has 21 values, an odd number.
        lines = weights.reshape(len(weights), -1, unit.kernel[2] * INPUT_CHANNELS, unit.channels)
        weights = np.pad(lines, ((0, 0), (0, 0), (0, 1), (0, 0))).reshape(len(weights), -1, unit.channels)
    in_bytes = unit.kernel == (1, 1, 1) and unit.scope.startswith(IN_BYTES)
    dtype = np.int8 if in_bytes else np.int16
    return pack_integers(weights, folded.bias, bounds, scales.outputs[unit.scope], dtype)


def _pack_amx(unit: Convolution, folded: FoldedConvolution, scales: _Scales) -> AmxConvolution:
    kernel = folded.kernel * scales.inputs[unit.scope][:, np.newaxis]
    output_scale, in_bytes = scales.outputs[unit.scope], unit.scope.startswith(AMX_IN_BYTES)
    match unit.kernel:
        case (1, 1, 1):
            return pack_pointwise(kernel, folded.bias, output_scale, in_bytes=in_bytes)
        case (3, 3, 3):
            return pack_3x3x3(kernel, folded.bias, output_scale, in_bytes=in_bytes)
    return pack_stem(kernel, folded.bias, output_scale)


def _on_amx(unit: Convolution, packed: AmxConvolution, window: KernelGeometry, *, floats: bool) -> Run:
    if isinstance(packed, AmxStem):
        return lambda kernels, x, y: kernels.amx.stem(x, packed, y, window, floats=floats)
    if unit.kernel == (1, 1, 1):
        return lambda kernels, x, y: kernels.amx.pointwise(x, packed, y)
    return lambda kernels, x, y: kernels.amx.convolve3(x, packed, y)


def _transformed(unit: Convolution, kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return points, depth, out; the depth of a 3x3x3 padded to what feature maps have in memory."""
    match unit.kernel, unit.stride:
        case (1, 1, 1), (1, 1, 1):
            pointwise: NDArray[np.float32] = kernel[0, 0]
            return pointwise
        case (3, 3, 3), (1, 1, 1):
            missing = -kernel.shape[3] % LANES
            return transform_3x3x3(np.pad(kernel, ((0, 0), (0, 0), (0, 0), (0, missing), (0, 0))))
        case (7, 7, 7), (2, 2, 2):
            return transform_stem(kernel)
    raise EngineError(f"{unit.scope}: there is no kernel for {unit.kernel} with stride {unit.stride}")

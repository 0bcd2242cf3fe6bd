"""Architecture and weights as an OpenVINO graph, with mean and scale inside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import (
    ENDPOINTS,
    HEAD,
    INPUT_CHANNELS,
    PIXEL_MEAN,
    PIXEL_SCALE,
    Convolution,
    MaxPool,
    Mixed,
    Triple,
    interpret,
    is_head,
)
from quovadis.engines.quantization import INPUT_RANGE, LEVELS, WEIGHT_QMAX, Quantization
from quovadis.openvino_runtime import Node, opset1, opset13, ov
from quovadis.weights.equalization import endpoint_scales, equalize
from quovadis.weights.folding import bias_name, fold_batch_norm, kernel_name

INPUT_NAME = "clips"
STEP_LOGITS = "step_logits"
LOGITS = "logits"
PROBABILITIES = "probabilities"
FEATURES = "features"

_TIME, _SPACE = 2, (3, 4)
"""Axes inside the graph, which runs in NCDHW."""
_NO_PADDING = [0, 0, 0]
_ONES = [1, 1, 1]

Padding: TypeAlias = tuple[list[int], list[int]]
"""Before and after, for time, height and width."""


class OpenVINOOperations:
    """The verbs of `architecture.interpret`, on OpenVINO nodes in NCDHW."""

    def __init__(self, tensors: Mapping[str, NDArray[np.float32]], quantization: Quantization | None = None) -> None:
        self._tensors = tensors if quantization is None else equalize(tensors, quantization.scales)
        self._quantization = quantization

    def convolution(self, x: Node, unit: Convolution, padding: str | Padding = "same_upper") -> Node:
        """Apply a SAME convolution, folded batch norm and ReLU."""
        y = opset13.relu(self.linear(x, unit, padding), name=unit.scope)
        return self.quantize(y, 0.0, self.range_of(unit))

    def range_of(self, unit: Convolution) -> float:
        """Return the greatest value that `unit` yields, if it is known."""
        return inf if self._quantization is None else self._quantization.ranges[unit.scope]

    def quantize(self, x: Node, low: float, high: float) -> Node:
        """Round to one of the levels between `low` and `high`; without quantisation leave everything as it is."""
        if self._quantization is None:
            return x
        bounds = [opset13.constant(np.float32(value)) for value in (low, high)]
        return opset13.fake_quantize(x, *bounds, *bounds, LEVELS)

    def linear(self, x: Node, unit: Convolution, padding: str | Padding) -> Node:
        """Apply a convolution and its bias, without activation; `padding` is OpenVINO's word for it, or explicit."""
        folded = fold_batch_norm(self._tensors, unit)
        kernel = np.ascontiguousarray(folded.kernel.transpose(4, 3, 0, 1, 2))
        if self._quantization is None or is_head(unit):
            weights = opset13.constant(kernel, name=kernel_name(unit))
        else:
            weights = _integer_weights(kernel, unit)
        y = opset13.convolution(
            x,
            weights,
            list(unit.stride),
            *((_NO_PADDING, _NO_PADDING) if isinstance(padding, str) else padding),
            _ONES,
            auto_pad=padding if isinstance(padding, str) else "explicit",
            name=f"{unit.scope}/convolution",
        )
        offset = opset13.constant(folded.bias.reshape(1, -1, 1, 1, 1), name=bias_name(unit))
        return opset13.add(y, offset, name=f"{unit.scope}/add_bias")

    def max_pool(self, x: Node, unit: MaxPool) -> Node:
        """Apply a SAME max pool; OpenVINO's ignores padding, as TensorFlow's does."""
        return opset1.max_pool(
            x, list(unit.stride), _NO_PADDING, _NO_PADDING, list(unit.kernel), "floor", "same_upper", name=unit.scope
        )

    def concatenate(self, branches: list[Node], unit: Mixed) -> Node:
        """Concatenate on channels."""
        return opset13.concat(branches, 1, name=unit.scope)


def _integer_weights(kernel: NDArray[np.float32], unit: Convolution) -> Node:
    """Round a kernel, out first, to 8 bits with a scale for each output channel."""
    scale = np.abs(kernel).max(axis=(1, 2, 3, 4), keepdims=True) / np.float32(WEIGHT_QMAX)
    scale = np.where(scale == 0, np.float32(1), scale)
    rounded = opset13.constant(np.rint(kernel / scale).astype(np.int8), name=kernel_name(unit))
    return opset13.multiply(opset13.convert(rounded, np.float32), opset13.constant(scale))


def build_graph(
    tensors: Mapping[str, NDArray[np.float32]],
    endpoints: Sequence[str] = (),
    quantization: Quantization | None = None,
    dtype: type[np.generic] = np.uint8,
) -> ov.Model:
    """Build the network as an `openvino.Model`.

    Input `clips`: uint8 or float32 as `dtype` says, B,D,H,W,C with batch, frames, height and width free; RGB, 0..255.
    Outputs, float32: `step_logits` B,S,classes, `logits` and `probabilities` B,classes, `features` B,S,1024, and for
    each of `endpoints` its feature map as B,D,H,W,C under its own name. Where frames are larger than 224 the head's map
    is larger than 1x1 and is averaged over space. With a quantisation, convolutions compute in 8-bit integers.
    """
    clips = opset13.parameter([-1, -1, -1, -1, INPUT_CHANNELS], dtype, name=INPUT_NAME)
    # Of floats this does nothing.
    pixels = opset13.convert(clips, np.float32, name="input/float")
    maps = build_network(OpenVINOOperations(tensors, quantization), pixels, (0, 4, 1, 2, 3))
    if quantization is not None:
        maps = replace(maps, endpoints=_original_scale(maps.endpoints, endpoints, quantization))
    results = {
        STEP_LOGITS: maps.step_logits,
        LOGITS: maps.logits,
        PROBABILITIES: opset13.softmax(maps.logits, 1, name=PROBABILITIES),
        FEATURES: _channels_last(_mean(maps.pooled, _SPACE, "features/space"), (0, _TIME, 1), FEATURES),
        **{name: _channels_last(maps.endpoints[name], (0, _TIME, *_SPACE, 1), name) for name in endpoints},
    }
    for name, node in results.items():
        node.output(0).get_tensor().set_names({name})
    clips.output(0).get_tensor().set_names({INPUT_NAME})
    outputs = [opset13.result(node, name=f"{name}/result") for name, node in results.items()]
    return ov.Model(outputs, [clips], "i3d-rgb")


@dataclass(frozen=True)
class NetworkNodes:
    """The network inside a graph."""

    endpoints: Mapping[str, Node]
    """Feature maps by endpoint name, B,C,D,H,W."""
    pooled: Node
    """The head's average pool, B,1024,S,H,W."""
    step_logits: Node
    """Shape B,S,classes."""
    logits: Node
    """Shape B,classes."""


def _original_scale(maps: Mapping[str, Node], endpoints: Sequence[str], quantization: Quantization) -> dict[str, Node]:
    """Undo the equalisation of the feature maps that are given out."""
    factors = endpoint_scales(quantization.scales)
    return {
        name: opset13.multiply(maps[name], opset13.constant((1 / factors[name]).reshape(1, -1, 1, 1, 1)))
        for name in endpoints
    }


def build_network(operations: OpenVINOOperations, pixels: Node, to_channels_first: Sequence[int]) -> NetworkNodes:
    """Add the network to a graph.

    Args:
        operations: with the weights.
        pixels: RGB, float32, 0..255, five axes in any order.
        to_channels_first: the axes of `pixels` in the order B,C,D,H,W.
    """
    maps = dict(interpret(operations, operations.quantize(normalize(pixels, to_channels_first), *INPUT_RANGE)))
    pooled = _average_pool(maps[ENDPOINTS[-1]], HEAD.pool)
    head = operations.linear(pooled, HEAD.convolution, "valid")
    step_logits = _channels_last(_mean(head, _SPACE, "head/space"), (0, _TIME, 1), STEP_LOGITS)
    return NetworkNodes(maps, pooled, step_logits, _mean(step_logits, (1,), LOGITS))


def normalize(pixels: Node, order: Sequence[int]) -> Node:
    """Bring pixels of 0..255 to -1..1 and, by the `order` of their axes, to B,C,D,H,W."""
    x = opset13.transpose(pixels, _integers(order, "input/to_channels_first"), name="input/channels_first")
    x = opset13.subtract(x, opset13.constant(np.float32(PIXEL_MEAN), name="input/mean"), name="input/centred")
    return opset13.multiply(x, opset13.constant(np.float32(1 / PIXEL_SCALE), name="input/scale"), name="input/scaled")


def _average_pool(x: Node, window: Triple) -> Node:
    return opset1.avg_pool(x, _ONES, _NO_PADDING, _NO_PADDING, list(window), True, "floor", "valid", name="head/pool")


def _mean(x: Node, axes: Sequence[int], name: str) -> Node:
    return opset13.reduce_mean(x, _integers(axes, f"{name}/axes"), False, name=name)


def _channels_last(x: Node, order: Sequence[int], name: str) -> Node:
    return opset13.transpose(x, _integers(order, f"{name}/order"), name=f"{name}/channels_last")


def _integers(values: Sequence[int], name: str) -> Node:
    return opset13.constant(np.array(values, np.int64), name=name)

"""Architecture and weights as an OpenVINO graph, with mean and scale inside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import Node, opset1, opset13

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
)
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

    def __init__(self, tensors: Mapping[str, NDArray[np.float32]]) -> None:
        self._tensors = tensors

    def convolution(self, x: Node, unit: Convolution) -> Node:
        """Apply a SAME convolution, folded batch norm and ReLU."""
        return opset13.relu(self.linear(x, unit, "same_upper"), name=unit.scope)

    def linear(self, x: Node, unit: Convolution, padding: str | Padding) -> Node:
        """Apply a convolution and its bias, without activation; `padding` is OpenVINO's word for it, or explicit."""
        folded = fold_batch_norm(self._tensors, unit)
        kernel = np.ascontiguousarray(folded.kernel.transpose(4, 3, 0, 1, 2))
        y = opset13.convolution(
            x,
            opset13.constant(kernel, name=kernel_name(unit)),
            list(unit.stride),
            *((_NO_PADDING, _NO_PADDING) if isinstance(padding, str) else padding),
            _ONES,
            auto_pad=padding if isinstance(padding, str) else "explicit",
            name=f"{unit.scope}/convolution",
        )
        bias = opset13.constant(folded.bias.reshape(1, -1, 1, 1, 1), name=bias_name(unit))
        return opset13.add(y, bias, name=f"{unit.scope}/add_bias")

    def max_pool(self, x: Node, unit: MaxPool) -> Node:
        """Apply a SAME max pool; OpenVINO's ignores padding, as TensorFlow's does."""
        return opset1.max_pool(
            x, list(unit.stride), _NO_PADDING, _NO_PADDING, list(unit.kernel), "floor", "same_upper", name=unit.scope
        )

    def concatenate(self, branches: list[Node], unit: Mixed) -> Node:
        """Concatenate on channels."""
        return opset13.concat(branches, 1, name=unit.scope)


def build_graph(tensors: Mapping[str, NDArray[np.float32]], endpoints: Sequence[str] = ()) -> ov.Model:
    """Build the network as an `openvino.Model`.

    Input `clips`: uint8, B,D,H,W,C with batch, frames, height and width free; RGB, 0..255. Outputs, float32:
    `step_logits` B,S,classes, `logits` and `probabilities` B,classes, `features` B,S,1024, and for each of `endpoints`
    its feature map as B,D,H,W,C under its own name. Where frames are larger than 224 the head's map is larger than 1x1
    and is averaged over space.
    """
    clips = opset13.parameter([-1, -1, -1, -1, INPUT_CHANNELS], np.uint8, name=INPUT_NAME)
    pixels = opset13.convert(clips, np.float32, name="input/float")
    maps = build_network(tensors, pixels, (0, 4, 1, 2, 3))
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


def build_network(
    tensors: Mapping[str, NDArray[np.float32]], pixels: Node, to_channels_first: Sequence[int]
) -> NetworkNodes:
    """Add the network to a graph.

    Args:
        tensors: variables by their original names.
        pixels: RGB, float32, 0..255, five axes in any order.
        to_channels_first: the axes of `pixels` in the order B,C,D,H,W.
    """
    operations = OpenVINOOperations(tensors)
    maps = dict(interpret(operations, normalize(pixels, to_channels_first)))
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

"""Architecture and weights as an OpenVINO graph, with mean and scale inside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
from quovadis.engines.folding import fold_batch_norm

INPUT_NAME = "clips"
STEP_LOGITS = "step_logits"
LOGITS = "logits"
PROBABILITIES = "probabilities"
FEATURES = "features"

_TIME, _SPACE = 2, (3, 4)
"""Axes inside the graph, which runs in NCDHW."""
_NO_PADDING = [0, 0, 0]
_ONES = [1, 1, 1]


class OpenVINOOperations:
    """The verbs of `architecture.interpret`, on OpenVINO nodes in NCDHW."""

    def __init__(self, tensors: Mapping[str, NDArray[np.float32]]) -> None:
        self._tensors = tensors

    def convolution(self, x: Node, unit: Convolution) -> Node:
        """Apply a SAME convolution, folded batch norm and ReLU."""
        return opset13.relu(self.linear(x, unit, same=True), name=unit.scope)

    def linear(self, x: Node, unit: Convolution, *, same: bool) -> Node:
        """Apply a convolution and its bias, without activation."""
        folded = fold_batch_norm(self._tensors, unit)
        kernel = np.ascontiguousarray(folded.kernel.transpose(4, 3, 0, 1, 2))
        y = opset13.convolution(
            x,
            opset13.constant(kernel, name=f"{unit.scope}/kernel"),
            list(unit.stride),
            _NO_PADDING,
            _NO_PADDING,
            _ONES,
            auto_pad="same_upper" if same else "valid",
            name=f"{unit.scope}/convolution",
        )
        bias = opset13.constant(folded.bias.reshape(1, -1, 1, 1, 1), name=f"{unit.scope}/bias")
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
    operations = OpenVINOOperations(tensors)
    maps_by_endpoint = dict(interpret(operations, _normalize(clips)))
    pooled = _average_pool(maps_by_endpoint[ENDPOINTS[-1]], HEAD.pool)
    maps = operations.linear(pooled, HEAD.convolution, same=False)
    step_logits = _channels_last(_mean(maps, _SPACE, "head/space"), (0, _TIME, 1), STEP_LOGITS)
    logits = _mean(step_logits, (1,), LOGITS)
    results = {
        STEP_LOGITS: step_logits,
        LOGITS: logits,
        PROBABILITIES: opset13.softmax(logits, 1, name=PROBABILITIES),
        FEATURES: _channels_last(_mean(pooled, _SPACE, "features/space"), (0, _TIME, 1), FEATURES),
        **{name: _channels_last(maps_by_endpoint[name], (0, _TIME, *_SPACE, 1), name) for name in endpoints},
    }
    for name, node in results.items():
        node.output(0).get_tensor().set_names({name})
    clips.output(0).get_tensor().set_names({INPUT_NAME})
    outputs = [opset13.result(node, name=f"{name}/result") for name, node in results.items()]
    return ov.Model(outputs, [clips], "i3d-rgb")


def _normalize(clips: Node) -> Node:
    x = opset13.convert(clips, np.float32, name="input/float")
    x = opset13.transpose(x, _integers((0, 4, 1, 2, 3), "input/to_channels_first"), name="input/channels_first")
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

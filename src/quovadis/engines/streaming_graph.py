"""The network over an endless video: each frame goes through it once, every temporal layer keeping its last inputs.

Defined for a total length T = 7 (mod 8), where SAME padding along time is that of 79 frames on every layer. A call
takes some frames and gives all positions (one in 8 frames) that can be computed from the frames so far; what a layer's
later outputs still need of its inputs is handed from call to call as state. Before the first frame the state is the
layer's own padding, after the last one its padding is added, so that every output equals the whole video's, run
at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import (
    CLIP_FRAMES,
    FIRST_FRAMES,
    FRAME_SIZE,
    HEAD,
    INPUT_CHANNELS,
    Convolution,
    MaxPool,
    Mixed,
    interpret,
    same_padding,
)
from quovadis.engines.openvino_graph import OpenVINOOperations, Padding, normalize
from quovadis.engines.quantization import INPUT_RANGE, Quantization
from quovadis.openvino_runtime import Node, opset1, opset13, ov

FRAMES = "frames"
POSITION_LOGITS = "position_logits"
POSITION_FEATURES = "position_features"

_TIME = 2
_TO_END = np.iinfo(np.int64).max


@dataclass(frozen=True)
class StateSlot:
    """What one place of the network hands from call to call."""

    name: str
    shape: tuple[int, int, int]
    """Channels, height, width."""
    initial_frames: int
    """Frames of zeros before the first call: the front half of the padding."""


@dataclass(frozen=True)
class StreamingGraph:
    """One call as a graph: inputs `frames` and each slot's name, outputs positions and, as `NAME/next`, the slots."""

    model: ov.Model
    slots: tuple[StateSlot, ...]


@dataclass(frozen=True)
class _Stream:
    """A tensor on its way, with how many frames it has in the first call and of a whole clip."""

    node: Node
    first: int
    whole: int
    range: tuple[float, float]
    """Of its values, for quantisation."""


class _StreamingOperations:
    """The verbs of `architecture.interpret`, with state along time and SAME padding in space."""

    def __init__(self, plain: OpenVINOOperations, *, is_last: bool) -> None:
        self._plain = plain
        self._is_last = is_last
        self.parameters: list[Node] = []
        self.results: list[Node] = []
        self.slots: list[StateSlot] = []

    def convolution(self, x: _Stream, unit: Convolution) -> _Stream:
        """Apply a convolution, folded batch norm and ReLU."""
        y, padding = self._enter(x, unit)
        node = self._plain.convolution(y.node, unit, padding)
        return _Stream(node, y.first, y.whole, (0.0, self._plain.range_of(unit)))

    def max_pool(self, x: _Stream, unit: MaxPool) -> _Stream:
        """Apply a max pool. Its input is never negative, so that the zeros of a first state never win."""
        y, (begin, end) = self._enter(x, unit)
        node = opset1.max_pool(y.node, list(unit.stride), begin, end, list(unit.kernel), "floor", name=unit.scope)
        return _Stream(node, y.first, y.whole, y.range)

    def concatenate(self, branches: list[_Stream], unit: Mixed) -> _Stream:
        """Concatenate on channels; branches that look less far ahead wait for the others."""
        first = min(branch.first for branch in branches)
        nodes = [self._delay(branch, branch.first - first, f"{unit.scope}/{i}") for i, branch in enumerate(branches)]
        return _Stream(opset13.concat(nodes, 1, name=unit.scope), first, branches[0].whole, branches[0].range)

    def _enter(self, x: _Stream, unit: Convolution | MaxPool) -> tuple[_Stream, Padding]:
        """Put a unit's state before its input; return that with the lengths of its output, and the padding to do."""
        kernel, stride = unit.kernel, unit.stride
        front, back = same_padding(x.whole, kernel[0], stride[0])
        _, _, _, *size = x.node.get_output_partial_shape(0)
        rows, columns = (
            same_padding(n.get_length(), k, s) for n, k, s in zip(size, kernel[1:], stride[1:], strict=True)
        )
        outputs = (front + x.first - kernel[0]) // stride[0] + 1
        kept = front + x.first - outputs * stride[0]
        node = self._remember(x, unit.scope, front, kept)
        begin, end = [0, rows[0], columns[0]], [back if self._is_last else 0, rows[1], columns[1]]
        return _Stream(node, outputs, -(-x.whole // stride[0]), x.range), (begin, end)

    def _delay(self, x: _Stream, frames: int, name: str) -> Node:
        joined = self._remember(x, name, 0, frames)
        return joined if self._is_last or not frames else _slice(joined, 0, -frames, f"{name}/ready")

    def _remember(self, x: _Stream, name: str, initial: int, kept: int) -> Node:
        """Put the slot's frames before `x`, and keep the last `kept` frames of both for the next call."""
        if not initial and not kept:
            return x.node
        _, channels, _, height, width = x.node.get_output_partial_shape(0)
        self.slots.append(StateSlot(name, (channels.get_length(), height.get_length(), width.get_length()), initial))
        state = opset13.parameter([1, *self.slots[-1].shape[:1], -1, *self.slots[-1].shape[1:]], np.float32, name=name)
        state.output(0).get_tensor().set_names({name})
        self.parameters.append(state)
        # What was kept was rounded already; saying so lets integers be joined with integers.
        joined = opset13.concat([self._plain.quantize(state, *x.range), x.node], _TIME, name=f"{name}/joined")
        if not self._is_last:
            following = _slice(joined, -kept, _TO_END, f"{name}/next")
            following.output(0).get_tensor().set_names({f"{name}/next"})
            self.results.append(following)
        return joined


def build_streaming_graph(
    tensors: Mapping[str, NDArray[np.float32]], *, is_last: bool, quantization: Quantization | None = None
) -> StreamingGraph:
    """Build one call.

    `frames`: uint8, 1,N,224,224,3; N = 7 (mod 8), at least 55, in the first call and a multiple of 8 later.
    `position_logits`: float32, 1,P,classes; `position_features`: 1,P,1024, `Mixed_5c` averaged over space. The logits
    of a time step are the mean of those of two positions that follow each other, because the head is linear.

    Args:
        tensors: variables by their original names.
        is_last: whether it is the call with the last frames of a video, which hands no state on.
        quantization: lets convolutions compute in 8-bit integers.
    """
    frames = opset13.parameter([1, -1, FRAME_SIZE, FRAME_SIZE, INPUT_CHANNELS], np.uint8, name=FRAMES)
    frames.output(0).get_tensor().set_names({FRAMES})
    plain = OpenVINOOperations(tensors, quantization)
    operations = _StreamingOperations(plain, is_last=is_last)
    pixels = normalize(opset13.convert(frames, np.float32), (0, 4, 1, 2, 3))
    pixels = plain.quantize(pixels, *INPUT_RANGE)
    *_, (_, last) = interpret(operations, _Stream(pixels, FIRST_FRAMES, CLIP_FRAMES, INPUT_RANGE))
    axes = opset13.constant(np.array((3, 4), np.int64))
    pooled = opset13.reduce_mean(last.node, axes, True, name="positions/pooled")
    logits = plain.linear(pooled, HEAD.convolution, "valid")
    outputs = {POSITION_LOGITS: logits, POSITION_FEATURES: pooled}
    results = []
    for name, node in outputs.items():
        rows = opset13.transpose(
            opset13.squeeze(node, axes), opset13.constant(np.array((0, 2, 1), np.int64)), name=name
        )
        rows.output(0).get_tensor().set_names({name})
        results.append(opset13.result(rows, name=f"{name}/result"))
    results += [opset13.result(node, name=f"{node.get_friendly_name()}/result") for node in operations.results]
    model = ov.Model(results, [frames, *operations.parameters], "i3d-rgb-last" if is_last else "i3d-rgb-stream")
    return StreamingGraph(model, tuple(operations.slots))


def _slice(x: Node, start: int, stop: int, name: str) -> Node:
    bounds = (opset13.constant(np.array([value], np.int64)) for value in (start, stop, 1, _TIME))
    return opset13.slice(x, *bounds, name=name)

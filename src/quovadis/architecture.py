"""The network as data: I3D, Inception-v1 inflated to three dimensions.

Everything that builds, counts, converts or describes the network interprets the table `STAGES`; nothing else in the
package knows a channel count. Sources: Carreira and Zisserman, "Quo Vadis, Action Recognition?", CVPR 2017, and
`i3d.py` of DeepMind's kinetics-i3d at 0667e88. Axes are always time, height, width.

This module imports no framework, not even numpy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from math import prod
from types import MappingProxyType
from typing import Protocol, TypeAlias, TypeVar

from quovadis.errors import ArchitectureError

Triple: TypeAlias = tuple[int, int, int]
"""One number each for time, height and width."""

NUM_CLASSES = 400
INPUT_CHANNELS = 3
CLIP_FRAMES = 79
"""Frames of the model card's clip: 3.16 s at 25 frames a second."""
FRAME_SIZE = 224
"""Height and width of the model card's input, in pixels."""
MINIMUM_FRAMES = 9
"""Shortest clip: nine frames leave the two time steps that the average pool needs."""
PIXEL_MEAN = 127.5
PIXEL_SCALE = 127.5
"""The network sees `(pixel - PIXEL_MEAN) / PIXEL_SCALE`, so 0..255 becomes -1..1."""
BATCH_NORM_EPSILON = 1e-3
VARIABLE_PREFIX = "RGB/inception_i3d"
"""Scope of every variable in the original checkpoints."""


@dataclass(frozen=True)
class Convolution:
    """A convolution with SAME padding, batch normalisation (offset only) and ReLU."""

    scope: str
    """Variable scope within the network, such as `Mixed_3b/Branch_1/Conv3d_0b_3x3`."""
    channels: int
    """Number of output channels."""
    kernel: Triple = (1, 1, 1)
    stride: Triple = (1, 1, 1)


@dataclass(frozen=True)
class MaxPool:
    """A max pool with SAME padding; padding never wins, as if it were minus infinity."""

    scope: str
    kernel: Triple
    stride: Triple = (1, 1, 1)


@dataclass(frozen=True)
class Mixed:
    """An Inception block: branches that read the same input, concatenated on channels in order."""

    scope: str
    branches: tuple[tuple[Convolution | MaxPool, ...], ...]


@dataclass(frozen=True)
class Head:
    """Average pool (VALID, stride 1), then a 1x1x1 convolution with bias and without activation."""

    scope: str
    pool: Triple
    convolution: Convolution


Stage: TypeAlias = Convolution | MaxPool | Mixed


def _mixed(
    scope: str, b0: int, b1: tuple[int, int], b2: tuple[int, int], b3: int, second: str = "Conv3d_0b_3x3"
) -> Mixed:
    """One row of the Inception table; `second` names Branch_2's 3x3x3, which the checkpoints misname in Mixed_5b."""
    return Mixed(
        scope,
        (
            (Convolution(f"{scope}/Branch_0/Conv3d_0a_1x1", b0),),
            (
                Convolution(f"{scope}/Branch_1/Conv3d_0a_1x1", b1[0]),
                Convolution(f"{scope}/Branch_1/Conv3d_0b_3x3", b1[1], (3, 3, 3)),
            ),
            (
                Convolution(f"{scope}/Branch_2/Conv3d_0a_1x1", b2[0]),
                Convolution(f"{scope}/Branch_2/{second}", b2[1], (3, 3, 3)),
            ),
            (
                MaxPool(f"{scope}/Branch_3/MaxPool3d_0a_3x3", (3, 3, 3)),
                Convolution(f"{scope}/Branch_3/Conv3d_0b_1x1", b3),
            ),
        ),
    )


STAGES: tuple[Stage, ...] = (
    Convolution("Conv3d_1a_7x7", 64, (7, 7, 7), (2, 2, 2)),
    MaxPool("MaxPool3d_2a_3x3", (1, 3, 3), (1, 2, 2)),
    Convolution("Conv3d_2b_1x1", 64),
    Convolution("Conv3d_2c_3x3", 192, (3, 3, 3)),
    MaxPool("MaxPool3d_3a_3x3", (1, 3, 3), (1, 2, 2)),
    _mixed("Mixed_3b", 64, (96, 128), (16, 32), 32),
    _mixed("Mixed_3c", 128, (128, 192), (32, 96), 64),
    MaxPool("MaxPool3d_4a_3x3", (3, 3, 3), (2, 2, 2)),
    _mixed("Mixed_4b", 192, (96, 208), (16, 48), 64),
    _mixed("Mixed_4c", 160, (112, 224), (24, 64), 64),
    _mixed("Mixed_4d", 128, (128, 256), (24, 64), 64),
    _mixed("Mixed_4e", 112, (144, 288), (32, 64), 64),
    _mixed("Mixed_4f", 256, (160, 320), (32, 128), 128),
    MaxPool("MaxPool3d_5a_2x2", (2, 2, 2), (2, 2, 2)),
    _mixed("Mixed_5b", 256, (160, 320), (32, 128), 128, second="Conv3d_0a_3x3"),
    _mixed("Mixed_5c", 384, (192, 384), (48, 128), 128),
)

HEAD = Head("Logits", (2, 7, 7), Convolution("Logits/Conv3d_0c_1x1", NUM_CLASSES))

ENDPOINTS: tuple[str, ...] = tuple(stage.scope for stage in STAGES)
"""Names of the feature maps, from input to output. `Logits` and `Predictions` are the head's."""


# --- variables ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ConvolutionVariables:
    """Names, in the original checkpoints, of one convolution's variables."""

    weights: str
    """Shape t, h, w, in, out."""
    beta: str | None
    moving_mean: str | None
    moving_variance: str | None
    bias: str | None
    """Only the head has one; every other convolution has batch normalisation instead."""


def convolution_variables(convolution: Convolution) -> ConvolutionVariables:
    """Name the variables of `convolution` as the original checkpoints do."""
    scope = f"{VARIABLE_PREFIX}/{convolution.scope}"
    weights = f"{scope}/conv_3d/w"
    if convolution == HEAD.convolution:
        return ConvolutionVariables(weights, None, None, None, f"{scope}/conv_3d/b")
    norm = f"{scope}/batch_norm"
    return ConvolutionVariables(weights, f"{norm}/beta", f"{norm}/moving_mean", f"{norm}/moving_variance", None)


def convolutions() -> Iterator[tuple[Convolution, int]]:
    """Yield every convolution, head last, with its number of input channels."""
    channels = INPUT_CHANNELS
    for stage in STAGES:
        yield from _stage_convolutions(stage, channels)
        channels = output_channels(stage, channels)
    yield HEAD.convolution, channels


def _stage_convolutions(stage: Stage, channels: int) -> Iterator[tuple[Convolution, int]]:
    branches = stage.branches if isinstance(stage, Mixed) else ((stage,),)
    for branch in branches:
        current = channels
        for unit in branch:
            if isinstance(unit, Convolution):
                yield unit, current
            current = output_channels(unit, current)


def output_channels(stage: Stage, in_channels: int) -> int:
    """Return the number of channels that `stage` makes of `in_channels`."""
    if isinstance(stage, Convolution):
        return stage.channels
    if isinstance(stage, MaxPool):
        return in_channels
    total = 0
    for branch in stage.branches:
        current = in_channels
        for unit in branch:
            current = output_channels(unit, current)
        total += current
    return total


@cache
def _variable_shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for convolution, in_channels in convolutions():
        names = convolution_variables(convolution)
        shapes[names.weights] = (*convolution.kernel, in_channels, convolution.channels)
        if names.bias is not None:
            shapes[names.bias] = (convolution.channels,)
        else:
            for name in (names.beta, names.moving_mean, names.moving_variance):
                if name is not None:
                    shapes[name] = (convolution.channels,)
    return dict(sorted(shapes.items()))


def variable_shapes() -> Mapping[str, tuple[int, ...]]:
    """Return the shape of each of the 230 variables, in order of name, as in the original checkpoints."""
    return MappingProxyType(_variable_shapes())


# --- shapes and counts ----------------------------------------------------------------------------------------------


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return TensorFlow's SAME padding of one axis, before and after.

    The total depends on the size, and the smaller half goes first (tensorflow/core/framework/kernel_shape_util.cc).
    """
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _same_shape(shape: Triple, stride: Triple) -> Triple:
    t, h, w = (-(-size // step) for size, step in zip(shape, stride, strict=True))
    return t, h, w


@dataclass(frozen=True)
class StageSummary:
    """What one endpoint costs and yields, for a batch of one."""

    name: str
    shape: tuple[int, int, int, int]
    """Output: time, height, width, channels."""
    parameters: int
    """Weights plus one bias per channel, batch norm folded."""
    multiply_adds: int
    """Of its convolutions; every other operation is left out."""
    flops: int
    """Floating point operations, counted as the model card does: see `summarize`."""


def summarize(frames: int = CLIP_FRAMES, height: int = FRAME_SIZE, width: int = FRAME_SIZE) -> tuple[StageSummary, ...]:
    """Describe every endpoint for a clip of this size, the input's normalisation first and `Logits` last.

    Operations are counted as Open Model Zoo's model card counts them: two per multiply-add of a convolution, one per
    output for its folded bias and one for its ReLU (the head's convolution: two per multiply-add only), kernel volume
    per output of a max pool, two per input element for mean and scale. At 1x79x224x224x3 that is 278.981e9.

    The shape of `Logits` keeps the two space axes, which are 1x1 at the model card's size.

    Raises:
        ArchitectureError: fewer than 9 frames, or frames too small for the head's 7x7 average pool.
    """
    check_input_size(frames, height, width)
    shape: Triple = (frames, height, width)
    channels = INPUT_CHANNELS
    rows = [StageSummary("Input", (*shape, channels), 0, 0, 2 * _volume(shape) * channels)]
    for stage in STAGES:
        shape, *counts = _count(stage, shape, channels)
        channels = output_channels(stage, channels)
        rows.append(StageSummary(stage.scope, (*shape, channels), *counts))
    pooled = _pooled_shape(shape)
    head = HEAD.convolution
    weights = channels * head.channels
    macs = _volume(pooled) * weights
    rows.append(StageSummary(HEAD.scope, (*pooled, head.channels), weights + head.channels, macs, 2 * macs))
    return tuple(rows)


def _count(stage: Stage, shape: Triple, channels: int) -> tuple[Triple, int, int, int]:
    """Return output shape, parameters, multiply-adds and operations of one stage."""
    if isinstance(stage, Mixed):
        totals = (0, 0, 0)
        for branch in stage.branches:
            current = channels
            for unit in branch:
                _, parameters, macs, operations = _count(unit, shape, current)
                totals = totals[0] + parameters, totals[1] + macs, totals[2] + operations
                current = output_channels(unit, current)
        return shape, *totals
    after = _same_shape(shape, stage.stride)
    if isinstance(stage, MaxPool):
        return after, 0, 0, _volume(stage.kernel) * _volume(after) * channels
    weights = _volume(stage.kernel) * channels * stage.channels
    macs = weights * _volume(after)
    return after, weights + stage.channels, macs, 2 * macs + 2 * _volume(after) * stage.channels


def _volume(shape: Triple) -> int:
    return shape[0] * shape[1] * shape[2]


def _pooled_shape(shape: Triple) -> Triple:
    t, h, w = (size - window + 1 for size, window in zip(shape, HEAD.pool, strict=True))
    return t, h, w


def endpoint_shapes(
    frames: int = CLIP_FRAMES, height: int = FRAME_SIZE, width: int = FRAME_SIZE
) -> dict[str, tuple[int, int, int, int]]:
    """Return time, height, width, channels of every feature map in `ENDPOINTS`, for a clip of this size."""
    return {row.name: row.shape for row in summarize(frames, height, width) if row.name in ENDPOINTS}


def time_steps(frames: int) -> int:
    """Return how many predictions the network makes over a clip of `frames` frames: one per 8 frames, less one.

    Raises:
        ArchitectureError: fewer than 9 frames.
    """
    return summarize(frames)[-1].shape[0]


def check_input_size(frames: int, height: int, width: int) -> None:
    """Refuse clips that leave the head nothing to pool.

    Raises:
        ArchitectureError: fewer than 9 frames, or frames that end smaller than the 7x7 average pool.
    """
    if frames < MINIMUM_FRAMES:
        raise ArchitectureError(
            f"a clip of {frames} frames is too short: the network needs at least {MINIMUM_FRAMES}; "
            "loop the clip or take a longer one"
        )
    shape: Triple = (frames, height, width)
    for stage in STAGES:
        shape = shape if isinstance(stage, Mixed) else _same_shape(shape, stage.stride)
    if min(_pooled_shape(shape)) < 1:
        raise ArchitectureError(
            f"frames of {height}x{width} pixels are too small: the network needs at least 193x193; "
            f"resize them to {FRAME_SIZE}x{FRAME_SIZE}"
        )


def flops(frames: int = CLIP_FRAMES, height: int = FRAME_SIZE, width: int = FRAME_SIZE) -> int:
    """Return floating point operations for one clip, counted as `summarize` states."""
    return sum(row.flops for row in summarize(frames, height, width))


def multiply_adds(frames: int = CLIP_FRAMES, height: int = FRAME_SIZE, width: int = FRAME_SIZE) -> int:
    """Return the multiply-adds (MACs) of all convolutions for one clip; every other operation is left out."""
    return sum(row.multiply_adds for row in summarize(frames, height, width))


def folded_parameters() -> int:
    """Return the number of parameters once batch norm is folded into weights and biases: the model card's MParams."""
    return sum(row.parameters for row in summarize())


def stored_parameters() -> int:
    """Return the number of values that an original checkpoint holds, batch norm statistics included."""
    return sum(prod(shape) for shape in variable_shapes().values())


# --- interpretation -------------------------------------------------------------------------------------------------

Tensor = TypeVar("Tensor")


class Operations(Protocol[Tensor]):
    """The verbs a backend implements; `interpret` calls them in order of the data's flow."""

    def convolution(self, x: Tensor, unit: Convolution) -> Tensor:
        """Apply a SAME convolution, batch norm and ReLU."""
        ...

    def max_pool(self, x: Tensor, unit: MaxPool) -> Tensor:
        """Apply a SAME max pool that never sees its padding."""
        ...

    def concatenate(self, branches: list[Tensor], unit: Mixed) -> Tensor:
        """Concatenate on channels."""
        ...


def interpret(operations: Operations[Tensor], x: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Run or build the network's stages on `x`, yielding each endpoint's name and tensor as it is made.

    The head is left to the backend: it reads the last tensor and follows `HEAD`.
    """
    for stage in STAGES:
        if isinstance(stage, Mixed):
            outputs = []
            for branch in stage.branches:
                y = x
                for unit in branch:
                    y = _apply(operations, y, unit)
                outputs.append(y)
            x = operations.concatenate(outputs, stage)
        else:
            x = _apply(operations, x, stage)
        yield stage.scope, x


def _apply(operations: Operations[Tensor], x: Tensor, unit: Convolution | MaxPool) -> Tensor:
    if isinstance(unit, Convolution):
        return operations.convolution(x, unit)
    return operations.max_pool(x, unit)

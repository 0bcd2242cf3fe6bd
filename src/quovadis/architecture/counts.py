"""Shapes, and the operations and parameters that the model card counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from quovadis.architecture.network import (
    CLIP_FRAMES,
    ENDPOINTS,
    FRAME_SIZE,
    HEAD,
    INPUT_CHANNELS,
    MINIMUM_FRAMES,
    NUM_CLASSES,
    STAGES,
    MaxPool,
    Mixed,
    Stage,
    Triple,
    output_channels,
)
from quovadis.errors import ArchitectureError


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


def summarize(
    frames: int = CLIP_FRAMES, height: int = FRAME_SIZE, width: int = FRAME_SIZE, *, num_classes: int = NUM_CLASSES
) -> tuple[StageSummary, ...]:
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
    weights = channels * num_classes
    macs = _volume(pooled) * weights
    rows.append(StageSummary(HEAD.scope, (*pooled, num_classes), weights + num_classes, macs, 2 * macs))
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


def flops(
    frames: int = CLIP_FRAMES, height: int = FRAME_SIZE, width: int = FRAME_SIZE, *, num_classes: int = NUM_CLASSES
) -> int:
    """Return floating point operations for one clip, counted as `summarize` states."""
    return sum(row.flops for row in summarize(frames, height, width, num_classes=num_classes))


def multiply_adds(
    frames: int = CLIP_FRAMES, height: int = FRAME_SIZE, width: int = FRAME_SIZE, *, num_classes: int = NUM_CLASSES
) -> int:
    """Return the multiply-adds (MACs) of all convolutions for one clip; every other operation is left out."""
    return sum(row.multiply_adds for row in summarize(frames, height, width, num_classes=num_classes))


def folded_parameters(num_classes: int = NUM_CLASSES) -> int:
    """Return the number of parameters once batch norm is folded into weights and biases: the model card's MParams."""
    return sum(row.parameters for row in summarize(num_classes=num_classes))


def check_endpoints(endpoints: str | Iterable[str], option: str = "endpoints") -> tuple[str, ...]:
    """Return the names, or the one name, once each, in the order of the network.

    Args:
        endpoints: the names.
        option: where they were given, for the error.

    Raises:
        ArchitectureError: a name that is no endpoint, or something else than names.
    """
    if isinstance(endpoints, bytes) or not isinstance(endpoints, Iterable):
        raise ArchitectureError(f"{option} must be a name or a list of names, not {endpoints!r}", option=option)
    names = (endpoints,) if isinstance(endpoints, str) else tuple(endpoints)
    for name in names:
        if not isinstance(name, str) or name not in ENDPOINTS:
            said = f'"{name}"' if isinstance(name, str) else type(name).__name__
            raise ArchitectureError(f"no endpoint is called {said}; there are {', '.join(ENDPOINTS)}", option=option)
    return tuple(name for name in ENDPOINTS if name in names)

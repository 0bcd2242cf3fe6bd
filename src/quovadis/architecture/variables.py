"""The network's variables: what the original checkpoints call them, and their shapes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from math import prod
from types import MappingProxyType

from quovadis.architecture.network import (
    HEAD,
    INPUT_CHANNELS,
    NUM_CLASSES,
    STAGES,
    VARIABLE_PREFIX,
    Convolution,
    MaxPool,
    Mixed,
    Stage,
    is_head,
    output_channels,
)


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
    if is_head(convolution):
        return ConvolutionVariables(weights, None, None, None, f"{scope}/conv_3d/b")
    norm = f"{scope}/batch_norm"
    return ConvolutionVariables(weights, f"{norm}/beta", f"{norm}/moving_mean", f"{norm}/moving_variance", None)


def convolutions(num_classes: int = NUM_CLASSES, width: float = 1.0) -> Iterator[tuple[Convolution, int]]:
    """Yield every convolution, head last, with its number of input channels.

    Args:
        num_classes: output channels of the head.
        width: by which the channels of all others are multiplied and rounded, to 1 at least: a fraction gives the small
            network that quick experiments and tests train. Weights files hold networks of width 1 alone.
    """
    channels = INPUT_CHANNELS
    for stage in STAGES:
        stage = _of_width(stage, width)
        yield from _stage_convolutions(stage, channels)
        channels = output_channels(stage, channels)
    yield replace(HEAD.convolution, channels=num_classes), channels


def _of_width(stage: Stage, width: float) -> Stage:
    if not isinstance(stage, Mixed):
        return _unit_of_width(stage, width)
    branches = (tuple(_unit_of_width(unit, width) for unit in branch) for branch in stage.branches)
    return replace(stage, branches=tuple(branches))


def _unit_of_width(unit: Convolution | MaxPool, width: float) -> Convolution | MaxPool:
    return replace(unit, channels=max(1, round(unit.channels * width))) if isinstance(unit, Convolution) else unit


def _stage_convolutions(stage: Stage, channels: int) -> Iterator[tuple[Convolution, int]]:
    branches = stage.branches if isinstance(stage, Mixed) else ((stage,),)
    for branch in branches:
        current = channels
        for unit in branch:
            if isinstance(unit, Convolution):
                yield unit, current
            current = output_channels(unit, current)


@cache
def variable_shapes(num_classes: int = NUM_CLASSES) -> Mapping[str, tuple[int, ...]]:
    """Return the shape of each of the 230 variables, in order of name, as in the original checkpoints."""
    shapes: dict[str, tuple[int, ...]] = {}
    for convolution, in_channels in convolutions(num_classes):
        names = convolution_variables(convolution)
        shapes[names.weights] = (*convolution.kernel, in_channels, convolution.channels)
        if names.bias is not None:
            shapes[names.bias] = (convolution.channels,)
        else:
            for name in (names.beta, names.moving_mean, names.moving_variance):
                if name is not None:
                    shapes[name] = (convolution.channels,)
    return MappingProxyType(dict(sorted(shapes.items())))


def stored_parameters(num_classes: int = NUM_CLASSES) -> int:
    """Return the number of values that an original checkpoint holds, batch norm statistics included."""
    return sum(prod(shape) for shape in variable_shapes(num_classes).values())

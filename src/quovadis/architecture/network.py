"""The network as a table of layers: I3D, Inception-v1 inflated to three dimensions.

Sources: Carreira and Zisserman, "Quo Vadis, Action Recognition?", CVPR 2017, and `i3d.py` of DeepMind's kinetics-i3d at
0667e88. Axes are always time, height, width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

Triple: TypeAlias = tuple[int, int, int]
"""One number each for time, height and width."""

NUM_CLASSES = 400
"""Kinetics-400's number of classes, and the model card's. Weights that were trained on others have others."""
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


def is_head(convolution: Convolution) -> bool:
    """Tell whether a convolution is the head's, whatever its number of classes."""
    return convolution.scope == HEAD.convolution.scope


ENDPOINTS: tuple[str, ...] = tuple(stage.scope for stage in STAGES)
"""Names of the feature maps, from input to output. `Logits` and `Predictions` are the head's."""


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

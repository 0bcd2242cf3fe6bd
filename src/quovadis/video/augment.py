"""Other views of a clip: flipped, cut out and made larger, brighter or darker. They stand in for clips that are few."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from quovadis.video.bilinear import resize

_MIN_SIDE = 0.6
"""Side of the smallest part that is cut out, as a share of the frame's."""
_MAX_GAIN = 1.3
"""Pixels are multiplied by up to this number, or divided by it."""


def augmented(clip: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """Yield other views of a clip for ever; the same clip always has the same views, in the same order.

    Args:
        clip: RGB, uint8, shape frames, height, width, 3; so are the views.
    """
    random = np.random.default_rng(list(hashlib.sha256(np.ascontiguousarray(clip).data).digest()))
    _, height, width, _ = clip.shape
    while True:
        share = random.uniform(_MIN_SIDE, 1)
        rows, columns = round(share * height), round(share * width)
        top, left = random.integers(height - rows + 1), random.integers(width - columns + 1)
        part = clip[:, top : top + rows, left : left + columns]
        if random.random() < 0.5:
            part = part[:, :, ::-1]
        gain = np.float32(_MAX_GAIN ** random.uniform(-1, 1))
        frames = (np.rint(resize(frame, height, width) * gain).clip(0, 255) for frame in part)
        yield np.stack([frame.astype(np.uint8) for frame in frames])

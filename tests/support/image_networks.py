"""What both makers of 2-D Inception networks share: their table, and a picture to look at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

IMAGE_SIZE = 224
BLOCKS = {
    "3b": (64, 96, 128, 16, 32, 32),
    "3c": (128, 128, 192, 32, 96, 64),
    "4b": (192, 96, 208, 16, 48, 64),
    "4c": (160, 112, 224, 24, 64, 64),
    "4d": (128, 128, 256, 24, 64, 64),
    "4e": (112, 144, 288, 32, 64, 64),
    "4f": (256, 160, 320, 32, 128, 128),
    "5b": (256, 160, 320, 32, 128, 128),
    "5c": (384, 192, 384, 48, 128, 128),
}
"""Channels by block: branch 0; branch 1, reduced and 3x3; branch 2, reduced and 3x3; branch 3."""


def random_image(seed: int = 0) -> NDArray[np.uint8]:
    """A picture with structure of every size, shape 224, 224, 3."""
    generator = np.random.default_rng(seed)
    sizes = (7, 28, 112, 224)
    layers = [np.kron(generator.random((n, n, 3)), np.ones((IMAGE_SIZE // n,) * 2 + (1,))) for n in sizes]
    return np.rint(255 * sum(layers) / len(layers)).astype(np.uint8)


def as_input(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The picture as both published networks take it: from -1 to 1."""
    return (image.astype(np.float32) / 127.5 - 1).astype(np.float32)

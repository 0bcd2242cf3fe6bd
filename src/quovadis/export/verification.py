"""Does a written model compute what its source does? A fixed clip, differences, and how large they may be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import CLIP_FRAMES, FRAME_SIZE, INPUT_CHANNELS
from quovadis.export.exporter import RunResult
from quovadis.export.options import ExportOptions

_OTHER_BATCH, _OTHER_FRAMES = 2, 24
"""Where a size is free, the model is run with these too."""


@dataclass(frozen=True)
class Tolerance:
    """The greatest difference that passes."""

    logits: float
    probabilities: float


FLOAT32 = Tolerance(logits=1e-3, probabilities=1e-4)
"""Between runtimes that sum the same products in another order: measured 1e-5."""
FLOAT16_WEIGHTS = Tolerance(logits=0.1, probabilities=0.01)
"""Weights of 11 significant bits: measured 0.02 on real clips and on the fixed one."""


@dataclass(frozen=True)
class Difference:
    """How far a written model is from its source on the fixed clip."""

    logits: float
    """Greatest difference of a logit."""
    probabilities: float
    """Greatest difference of a probability."""
    runtime: str
    """What ran the written model."""
    tolerance: Tolerance

    @property
    def ok(self) -> bool:
        """Whether both are within the tolerance; a difference that is no number is not."""
        return self.logits <= self.tolerance.logits and self.probabilities <= self.tolerance.probabilities

    def __str__(self) -> str:
        return (
            f"{self.runtime}: logits differ by at most {self.logits:.1e} (allowed {self.tolerance.logits:.0e}), "
            f"probabilities by {self.probabilities:.1e} (allowed {self.tolerance.probabilities:.0e})"
        )


def tolerance(options: ExportOptions) -> Tolerance:
    """Return what a model with these options may differ by."""
    return FLOAT16_WEIGHTS if options.compress == "fp16" else FLOAT32


def clip_shapes(options: ExportOptions) -> list[tuple[int, int]]:
    """Return batch and frames of each run: the model card's where they are free, and then another too."""
    shapes = [(options.batch or 1, options.frames or CLIP_FRAMES)]
    if options.batch is None or options.frames is None:
        shapes.append((options.batch or _OTHER_BATCH, options.frames or _OTHER_FRAMES))
    return shapes


def fixed_clips(batch: int, frames: int) -> NDArray[np.uint8]:
    """Make clips to compare on: gratings that drift, differently in each colour and clip, with noise on top.

    Returns:
        RGB, uint8, shape batch, frames, 224, 224, 3; the same on every call.
    """
    t, y, x = np.ogrid[:frames, :FRAME_SIZE, :FRAME_SIZE]
    clips = np.empty((batch, frames, FRAME_SIZE, FRAME_SIZE, INPUT_CHANNELS), np.uint8)
    noise = np.random.default_rng(0)
    for clip in range(batch):
        for colour in range(INPUT_CHANNELS):
            angle = 0.7 * colour + 1.1 * clip
            phase = (x * np.cos(angle) + y * np.sin(angle)) / (4 + 5 * colour) - t / (2 + colour)
            wave = 127.5 + 90 * np.sin(phase.astype(np.float32))
            clips[clip, ..., colour] = wave + noise.uniform(-30, 30, wave.shape).astype(np.float32)
    return clips


def difference(expected: list[RunResult], actual: list[RunResult], allowed: Tolerance) -> Difference:
    """Compare the runs of a written model with its source's."""
    pairs = list(zip(expected, actual, strict=True))
    return Difference(
        logits=max(_max_difference(a.logits, b.logits) for a, b in pairs),
        probabilities=max(_max_difference(a.probabilities, b.probabilities) for a, b in pairs),
        runtime=actual[0].runtime,
        tolerance=allowed,
    )


def _max_difference(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(np.abs(a.astype(np.float64) - b).max()) if a.shape == b.shape else float("inf")

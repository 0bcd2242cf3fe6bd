"""Clips that are numbers, and videos that are broken, hang or crash: what workers are tested with."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from quovadis.errors import OutputError, VideoError
from quovadis.training.clips import TrainingClip


@dataclass(frozen=True)
class NumberedClips:
    """Clips whose pixels say the epoch and the index; picklable."""

    count: int = 10
    training: bool = True
    broken: frozenset[int] = frozenset()
    hanging: frozenset[int] = frozenset()
    crashing: frozenset[int] = frozenset()
    fatal: frozenset[int] = frozenset()
    trace: Path | None = None
    """Where each clip that is made leaves a file of its name."""
    frames: int = 2
    dtype: str = "uint8"
    """What the pixels are; empty: there is no clip."""
    growing: bool = False
    """Whether each clip has a frame more than the one before."""
    uneven: bool = False
    """Whether targets are of several lengths."""

    def __len__(self) -> int:
        return self.count

    def key(self, index: int) -> str:
        return f"video {index}"

    def clip(self, epoch: int, index: int) -> TrainingClip:
        if index in self.broken:
            raise VideoError(f"video {index}: damaged")
        if index in self.fatal:
            raise OutputError("the disk is full")
        if index in self.hanging:
            time.sleep(600)
        if index in self.crashing:
            os.kill(os.getpid(), signal.SIGSEGV)
        if self.trace is not None:
            (self.trace / f"{epoch} {index}").touch()
        frames = index + 1 if self.growing else self.frames
        if not self.dtype:
            return None  # type: ignore[return-value]
        pixels = np.full((frames, 3, 3, 3), [epoch, index, 0], self.dtype)
        target = np.zeros(index, np.float32) if self.uneven else index % 3
        return TrainingClip(pixels, target, self.key(index), index)

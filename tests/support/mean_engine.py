"""A network that computes nothing but brightness: what it was given can be read off its features."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import FIRST_FRAMES, TEMPORAL_STRIDE
from quovadis.engines import EngineOutput
from quovadis.engines.base import StreamOutput
from quovadis.labels import kinetics400
from quovadis.recognizer import Recognizer
from quovadis.results import WeightsIdentity
from quovadis.video import Frame
from support.synthetic import write_video

CHANNELS = 1024


class MeanEngine:
    """A network whose features are its clip's mean, first and last pixel, and length, and then the step's number."""

    max_concurrent_clips = 1

    def __init__(self, version: str = "1") -> None:
        self.description = {"engine": "mean", "version": version, "device": "none", "precision": "f32"}
        self.clips: list[NDArray[np.uint8]] = []
        """Every clip that was run, in no certain order."""
        self.pushed = 0
        """Frames that streams were given."""

    def run(self, clips: NDArray[np.uint8], endpoints: Sequence[str] = ()) -> EngineOutput:
        self.clips += list(clips)
        frames = clips.shape[1]
        # As many steps as the network has: its maps have a position for every 8 frames, and the head pools pairs.
        values = np.stack([_values(clip, ceil(frames / 8) - 1) for clip in clips])
        logits = values[:, :, :400]
        maps = {name: _feature_map(clips, name) for name in endpoints}
        return EngineOutput(logits, logits.mean(1), logits.mean(1), values, maps)

    def open_stream(self) -> _MeanStream:
        return _MeanStream(self)


class _MeanStream:
    def __init__(self, engine: MeanEngine) -> None:
        self.engine = engine
        self.is_first = True

    def push(self, frames: NDArray[np.uint8], *, is_last: bool = False) -> StreamOutput:
        self.engine.pushed += len(frames)
        steps = (len(frames) - FIRST_FRAMES) // TEMPORAL_STRIDE if self.is_first else len(frames) // TEMPORAL_STRIDE
        self.is_first = False
        values = _values(frames, steps + (6 if is_last else 0))
        return StreamOutput(values[:, :400], values)


def _values(clip: NDArray[np.uint8], steps: int) -> NDArray[np.float32]:
    values = np.empty((steps, CHANNELS), np.float32)
    values[:, :] = np.arange(steps)[:, None]
    values[:, :4] = clip.mean(), clip[0].mean(), clip[-1].mean(), len(clip)
    return values


def _feature_map(clips: NDArray[np.uint8], name: str) -> NDArray[np.float32]:
    """Return some map, the same for the same clips and name, as long as the network's would be."""
    frames = clips.shape[1]
    shape = (len(clips), ceil(frames / 8), 7, 7, CHANNELS) if name == "Mixed_5c" else (len(clips), frames // 2, 3, 4, 5)
    noise = np.random.default_rng([*name.encode(), *clips.astype(np.int64).sum((1, 2, 3, 4))])
    return noise.random(shape, np.float32)


def recognizer(engine: MeanEngine | None = None) -> Recognizer:
    return Recognizer(engine or MeanEngine(), WeightsIdentity("mean", "0" * 64), kinetics400())


def numbered_frames(count: int, *, seconds: Sequence[float] | None = None) -> list[Frame]:
    """Frames of one pixel, which is their number, at 25 a second or at certain times."""
    times = [i / 25 for i in range(count)] if seconds is None else seconds
    return [Frame(np.full((1, 1, 3), i, np.int32), times[i], 0.04) for i in range(count)]


def numbers(clip: NDArray[np.int32]) -> list[int]:
    """Return which of the numbered frames are in a clip."""
    return [int(number) for number in clip[:, 0, 0, 0]]


def write_gray(path: Path, frames: int, first: int = 20) -> Path:
    """Write a small video that becomes brighter by a level a frame."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = (np.full((48, 64, 3), first + i, np.uint8) for i in range(frames))
    return write_video(path, pictures, options={"crf": "8"})

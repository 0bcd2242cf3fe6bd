"""An engine without a network: what it was given can be read off what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from threading import Lock
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import FIRST_FRAMES, TEMPORAL_STRIDE, check_endpoints
from quovadis.engines import EngineOutput
from quovadis.engines.base import StreamOutput
from quovadis.engines.lifecycle import BaseEngine
from quovadis.labels import kinetics400
from quovadis.recognizer import Recognizer
from quovadis.results import WeightsIdentity, softmax
from quovadis.weights import InputSpecification, Weights
from support.colours import answer_in, logits_of

CHANNELS = 1024

Clip: TypeAlias = NDArray[Any]
Answer: TypeAlias = tuple[NDArray[np.float32], NDArray[np.float32]]


class FakeEngine(BaseEngine):
    """An engine that notes what it is given; what it answers of a clip is what its kinds differ in."""

    name = "fake"
    max_concurrent_clips = 1
    keeps_clips = False

    def __init__(self, version: str = "1") -> None:
        self.description = {"engine": self.name, "version": version, "device": "none", "precision": "f32"}
        self.shapes: list[tuple[int, ...]] = []
        """The shape of every clip that was run, in no certain order."""
        self.clips: list[Clip] = []
        """The clips themselves, if they are kept."""
        self.calls: list[int] = []
        """How many frames each call to the engine or to one of its streams was given."""
        self.pushed = 0
        """Frames that streams were given."""
        self._lock = Lock()

    def answer(self, clip: Clip, steps: int) -> Answer:
        """Return logits, shape steps, classes, and pooled features, shape steps, channels."""
        raise NotImplementedError

    def run(self, clips: Clip, endpoints: str | Sequence[str] = ()) -> EngineOutput:
        self._check_open()
        with self._lock:
            self.shapes += [clip.shape for clip in clips]
            self.calls.append(clips.shape[1])
            if self.keeps_clips:
                self.clips += list(clips)
        # As many steps as the network has: its maps have a position for every 8 frames, and the head pools pairs.
        answers = [self.answer(clip, ceil(clips.shape[1] / TEMPORAL_STRIDE) - 1) for clip in clips]
        step_logits, features = (np.stack(arrays) for arrays in zip(*answers, strict=True))
        logits = step_logits.mean(1)
        maps = {name: _feature_map(clips, name) for name in check_endpoints(endpoints)}
        return EngineOutput(step_logits, logits, softmax(logits), features, maps)

    def open_stream(self) -> _FakeStream:
        self._check_open()
        return _FakeStream(self)


class _FakeStream:
    def __init__(self, engine: FakeEngine) -> None:
        self.engine = engine
        self.is_first = True

    def push(self, frames: Clip, *, is_last: bool = False) -> StreamOutput:
        self.engine.pushed += len(frames)
        self.engine.calls.append(len(frames))
        steps = (len(frames) - FIRST_FRAMES) // TEMPORAL_STRIDE if self.is_first else len(frames) // TEMPORAL_STRIDE
        self.is_first = False
        return StreamOutput(*self.engine.answer(frames, steps + (6 if is_last else 0)))


class MeanEngine(FakeEngine):
    """Features are the clip's mean, that of its first and last frame, and its length, and then the step's number."""

    name = "mean"
    keeps_clips = True

    def answer(self, clip: Clip, steps: int) -> Answer:
        values = np.empty((steps, CHANNELS), np.float32)
        values[:, :] = np.arange(steps)[:, None]
        values[:, :4] = clip.mean(), clip[0].mean(), clip[-1].mean(), len(clip)
        return values[:, :400], values


class ColourEngine(FakeEngine):
    """The class is told by the colour of a clip's first frame: see `support.colours`."""

    name = "colours"

    def answer(self, clip: Clip, steps: int) -> Answer:
        return logits_of(answer_in(clip[0]))[np.newaxis], np.zeros((1, CHANNELS), np.float32)


class CornerEngine(FakeEngine):
    """Logits: the mean of each channel, of the first and of the last frame; pooled features: means of two corners."""

    name = "corners"

    def answer(self, clip: Clip, steps: int) -> Answer:
        assert clip.dtype == np.float32
        assert clip.shape[1:] == (224, 224, 3)
        logits = np.array([[*clip.mean((0, 1, 2)), clip[0].mean(), clip[-1].mean()]], np.float32)
        corners = np.stack([clip[:, :9, :9].mean((1, 2, 3)), clip[:, -9:, -9:].mean((1, 2, 3))], axis=1)
        parts = np.array_split(corners, (len(clip) + 1) // 8)
        return logits, np.array([part.mean(0) for part in parts], np.float32)


def _feature_map(clips: Clip, name: str) -> NDArray[np.float32]:
    """Return some map, the same for the same clips and name, as long as the network's would be."""
    frames = clips.shape[1]
    shape = (len(clips), ceil(frames / 8), 7, 7, CHANNELS) if name == "Mixed_5c" else (len(clips), frames // 2, 3, 4, 5)
    noise = np.random.default_rng([*name.encode(), *clips.astype(np.int64).sum((1, 2, 3, 4))])
    return noise.random(shape, np.float32)


def recognizer(
    engine: FakeEngine | None = None, sha256: str = "0" * 64, specified: InputSpecification | None = None
) -> Recognizer:
    identity = WeightsIdentity("fake", sha256)
    return Recognizer(engine or ColourEngine(), identity, kinetics400(), input_specification=specified)


def unused_weights() -> Weights:
    """Weights of 400 classes without the tensors that a network would need: for commands that run a fake engine."""
    bias = "RGB/inception_i3d/Logits/Conv3d_0c_1x1/conv_3d/b"
    return Weights({bias: np.zeros(400, np.float32)}, "fake", "0" * 64, Path("fake"))

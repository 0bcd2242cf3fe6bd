"""What recognition yields: predictions of clips and of whole videos, with where they came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Prediction:
    """One class and its probability."""

    index: int
    """Place of the class among the network's outputs, from 0."""
    label: str
    probability: float
    """In 0..1."""


@dataclass(frozen=True)
class WeightsIdentity:
    """Which weights made a result."""

    name: str
    sha256: str
    """Of the weights themselves, whichever file they came in."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ClipPrediction:
    """What the network says of one clip."""

    index: int
    start_seconds: float
    """Time of the first frame, from the start of the video."""
    end_seconds: float
    """Time at which the last frame ends."""
    frames: int
    """Frames of the video in the clip, before any looping."""
    looped: bool
    """Whether frames were repeated to fill the clip."""
    logits: NDArray[np.float32] = field(repr=False)
    """Shape classes."""
    probabilities: NDArray[np.float32] = field(repr=False)
    """Softmax of the logits, shape classes, values in 0..1."""
    labels: tuple[str, ...] = field(repr=False)

    def top(self, count: int = 5) -> list[Prediction]:
        """Return the `count` most probable classes, best first."""
        return _top(self.probabilities, self.labels, count)


@dataclass(frozen=True, kw_only=True, eq=False)
class VideoPrediction:
    """What the network says of one video: the mean of the softmax of its clips."""

    source: str
    """The file, folder, address or camera, as it was given; `<array>` for frames in memory."""
    clips: tuple[ClipPrediction, ...]
    """In order of time, at least one."""
    weights: WeightsIdentity
    engine: Mapping[str, str]
    """Engine, version, device and precision."""
    partial: bool = False
    """Whether the file was damaged or cut off and what was there was classified on request."""
    notes: tuple[str, ...] = ()
    """Plain sentences on what was unusual: looped, cut off, interrupted."""
    labels: tuple[str, ...] = field(repr=False)

    @cached_property
    def probabilities(self) -> NDArray[np.float32]:
        """Mean of the clips' softmax, shape classes, values in 0..1."""
        mean: NDArray[np.float64] = np.mean([clip.probabilities for clip in self.clips], axis=0, dtype=np.float64)
        return mean.astype(np.float32)

    def top(self, count: int = 5) -> list[Prediction]:
        """Return the `count` most probable classes, best first."""
        return _top(self.probabilities, self.labels, count)

    def to_dict(self, count: int = 5) -> dict[str, Any]:
        """Return the result in JSON's types, with the `count` best classes of the video and of each clip."""
        return {
            "source": self.source,
            "weights": {"name": self.weights.name, "sha256": self.weights.sha256},
            "engine": dict(self.engine),
            "top": [_prediction_dict(prediction) for prediction in self.top(count)],
            "clips": [
                {
                    "index": clip.index,
                    "start_seconds": round(clip.start_seconds, 6),
                    "end_seconds": round(clip.end_seconds, 6),
                    "frames": clip.frames,
                    "looped": clip.looped,
                    "top": [_prediction_dict(prediction) for prediction in clip.top(count)],
                }
                for clip in self.clips
            ],
            "partial": self.partial,
            "notes": list(self.notes),
        }


def _prediction_dict(prediction: Prediction) -> dict[str, Any]:
    return {"index": prediction.index, "label": prediction.label, "probability": prediction.probability}


def _top(probabilities: NDArray[np.float32], labels: tuple[str, ...], count: int) -> list[Prediction]:
    # A stable sort of the negated values ranks ties by class index, on every platform alike.
    order = np.argsort(-probabilities, kind="stable")[: max(count, 0)]
    return [Prediction(int(index), labels[index], float(probabilities[index])) for index in order]

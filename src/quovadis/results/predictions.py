"""What recognition yields: predictions of clips and of whole videos, with where they came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
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


@dataclass(frozen=True)
class Segment:
    """A stretch of a video of which the network says one thing."""

    index: int
    """Of the class."""
    label: str
    start_seconds: float
    end_seconds: float
    score: float
    """Mean probability of the class over the stretch."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ClipPrediction:
    """What the network says of one clip or, in dense mode, of one step of 8 frames."""

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
    """Shape classes; in dense mode the mean of the steps of a window around this one."""
    features: NDArray[np.float32] | None = field(default=None, repr=False)
    """Pooled features that the network made on the way, shape 1024: the mean of the clip's steps; None where an
    engine's output was not at hand."""
    labels: tuple[str, ...] = field(repr=False)

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """Softmax of the logits, shape classes, values in 0..1."""
        return softmax(self.logits)

    def top(self, count: int = 5) -> list[Prediction]:
        """Return the `count` most probable classes, best first."""
        return _top(self.probabilities, self.labels, count)


@dataclass(frozen=True, kw_only=True, eq=False)
class StepPrediction:
    """What the network says of the last steps of a video that goes on."""

    index: int
    start_seconds: float
    end_seconds: float
    """The 8 frames around the centre of the newest step."""
    step_logits: NDArray[np.float32] = field(repr=False)
    """Of the newest step alone, shape classes."""
    logits: NDArray[np.float32] = field(repr=False)
    """Mean of the last steps, as many as the window has, shape classes."""
    delay_seconds: float | None = None
    """Of a live source: from the capture of the newest step's last frame until now. None where nothing is live."""
    labels: tuple[str, ...] = field(repr=False)

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """Softmax of the logits, shape classes, values in 0..1."""
        return softmax(self.logits)

    def top(self, count: int = 5) -> list[Prediction]:
        """Return the `count` most probable classes, best first."""
        return _top(self.probabilities, self.labels, count)


@dataclass(frozen=True, kw_only=True, eq=False)
class VideoPrediction:
    """What the network says of one video.

    Of clips, the mean of their softmax; in dense mode, where the network runs over the whole video at once, the softmax
    of the mean of all steps' logits.
    """

    source: str
    """The file, folder, address or camera, as it was given; `<array>` for frames in memory."""
    clips: tuple[ClipPrediction, ...]
    """In order of time, at least one."""
    weights: WeightsIdentity
    engine: Mapping[str, str]
    """Engine, version, device and precision."""
    partial: bool = False
    """Whether the file was damaged or cut off and what was there was classified on request."""
    mean_logits: NDArray[np.float32] | None = field(default=None, repr=False)
    """In dense mode, the mean of all steps, shape classes."""
    segments: tuple[Segment, ...] | None = None
    """The timeline, if it was asked for."""
    notes: tuple[str, ...] = ()
    """Plain sentences on what was unusual: looped, cut off, interrupted."""
    labels: tuple[str, ...] = field(repr=False)

    @cached_property
    def probabilities(self) -> NDArray[np.float32]:
        """Shape classes, values in 0..1."""
        if self.mean_logits is not None:
            return softmax(self.mean_logits)
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
            "dense": self.mean_logits is not None,
            **({} if self.segments is None else {"segments": [asdict(segment) for segment in self.segments]}),
            "partial": self.partial,
            "notes": list(self.notes),
        }


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the softmax over the last axis."""
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: NDArray[np.float32] = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return probabilities


def _prediction_dict(prediction: Prediction) -> dict[str, Any]:
    return {"index": prediction.index, "label": prediction.label, "probability": prediction.probability}


def _top(probabilities: NDArray[np.float32], labels: tuple[str, ...], count: int) -> list[Prediction]:
    # A stable sort of the negated values ranks ties by class index, on every platform alike.
    order = np.argsort(-probabilities, kind="stable")[: max(count, 0)]
    return [Prediction(int(index), labels[index], float(probabilities[index])) for index in order]

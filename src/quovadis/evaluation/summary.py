"""What predictions come to: the protocol's metrics, by class, by pair of classes, by video."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from quovadis.errors import MetricError
from quovadis.evaluation.predictions import Predictions, VideoScores
from quovadis.evaluation.protocols import OpenModelZooProtocol
from quovadis.evaluation.protocols.open_model_zoo import CLIPS
from quovadis.fields import check_value
from quovadis.metrics import Proportion, confusion_matrix, ranks
from quovadis.metrics.accuracy import top_ks

MAX_PAIRS = 20
MAX_VIDEOS = 20
WITHOUT_LAST = "without the last"
"""Ends the titles of the accuracy checker's own figures: it counts a video when the next one begins, never the last."""
AS_WRONG = "failures counted as wrong"
"""Ends the titles of figures that count what is missing or unreadable too."""
_ENDINGS = {
    "": ("", ""),
    WITHOUT_LAST: ("_without_last", f", {WITHOUT_LAST}"),
    AS_WRONG: ("_failures_as_wrong", f", {AS_WRONG}"),
}
"""How a figure's name and its title end."""


@dataclass(frozen=True)
class Metric:
    """One figure."""

    name: str
    """Identifies the figure for programs, such as `top1`."""
    title: str
    """What people read, such as "top-1"."""
    value: float
    """In 0..1; not a number if nothing was evaluated."""
    counts: Proportion | None
    """What it is a share of; None of a mean of shares."""

    def to_dict(self) -> dict[str, Any]:
        """Return the figure in JSON's types, with the ends of its Wilson 95 % interval."""
        result: dict[str, Any] = {
            "name": self.name,
            "title": self.title,
            "value": None if math.isnan(self.value) else self.value,
        }
        if self.counts is not None:
            result |= self.counts.to_dict()
        return result


@dataclass(frozen=True)
class ClassAccuracy:
    """How one class fares."""

    index: int
    label: str
    videos: int
    top1: float
    """Share of its videos whose best class it is."""
    top5: float
    """Share of its videos among whose five best classes it is."""


@dataclass(frozen=True)
class ConfusedPair:
    """A class that is taken for another."""

    label: str
    predicted: str
    videos: int


@dataclass(frozen=True)
class WorstVideo:
    """A video whose class the network thinks unlikely."""

    key: str
    path: str
    label: str
    probability: float
    """Of its class."""
    predicted: str
    predicted_probability: float


@dataclass(frozen=True)
class Summary:
    """All that a report tells of the videos that were evaluated."""

    metrics: tuple[Metric, ...]
    """The protocol's own figures first."""
    classes: tuple[ClassAccuracy, ...]
    """Classes with videos, in output order."""
    confused: tuple[ConfusedPair, ...]
    """Most frequent first."""
    worst: tuple[WorstVideo, ...]
    """Least probable first."""
    omz_compatible: bool = False
    """Whether of both figures of `clip_accuracy` the one without the last video comes first."""

    def metric(self, name: str) -> Metric:
        """Return the figure of a name.

        Raises:
            KeyError: there is none.
        """
        for metric in self.metrics:
            if metric.name == name:
                return metric
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """Return the summary in JSON's types."""
        return {
            "omz_compatible": self.omz_compatible,
            "metrics": [metric.to_dict() for metric in self.metrics],
            "classes": [asdict(item) for item in self.classes],
            "confused": [asdict(item) for item in self.confused],
            "worst": [asdict(item) for item in self.worst],
        }


def summarize(predictions: Predictions, *, omz_compatible: bool = False) -> Summary:
    """Count.

    Args:
        predictions: of any protocol.
        omz_compatible: of the protocol omz, let the figures of `clip_accuracy` that leave the last video out, as the
            accuracy checker does, come before those of all videos.

    Raises:
        MetricError: `omz_compatible` with another protocol.
    """
    check_value("predictions", predictions, Predictions, MetricError)
    is_omz = predictions.settings["protocol"] == OpenModelZooProtocol.name
    if omz_compatible and not is_omz:
        raise MetricError(f"the protocol {predictions.settings['protocol']} has no figures of Open Model Zoo's")
    metrics = _clip_metrics(predictions, omz_compatible) if is_omz else _video_metrics(predictions)
    classes = class_accuracies(predictions)
    if classes:
        metrics.append(
            Metric("mean_class_accuracy", "mean class accuracy", float(np.mean([item.top1 for item in classes])), None)
        )
    confused, worst = confused_pairs(predictions), worst_videos(predictions)
    return Summary(tuple(metrics), classes, confused, worst, omz_compatible)


def _video_metrics(predictions: Predictions) -> list[Metric]:
    ranks, ks = predictions.video_ranks, top_ks(len(predictions.labels))
    metrics = [_share(f"top{k}", f"top-{k}", int((ranks < k).sum()), len(ranks)) for k in ks]
    if failed := len(predictions.failures):
        metrics += [_share(f"top{k}", f"top-{k}", int((ranks < k).sum()), len(ranks) + failed, AS_WRONG) for k in ks]
    views = predictions.view_ranks
    if len(views) > len(ranks):
        metrics += [
            _share(f"top{k}_single_views", f"top-{k} of single views", int((views < k).sum()), len(views)) for k in ks
        ]
    return metrics


def _clip_metrics(predictions: Predictions, compatible: bool) -> list[Metric]:
    clips, videos = predictions.view_ranks, predictions.video_ranks
    ks = top_ks(len(predictions.labels))
    metrics = [_share(f"accuracy_top{k}", f"accuracy@top{k}", int((clips < k).sum()), len(clips)) for k in ks]
    right_clips, right_videos = int((clips < 1).sum()), int((videos < 1).sum())
    clip = _share("clip_accuracy_clip", "clip_accuracy: clip", right_clips, len(clips))
    corrected = _with_mean(clip, "", right_videos, len(videos))
    theirs = _with_mean(clip, WITHOUT_LAST, int((videos[:-1] < 1).sum()), max(len(videos) - 1, 0))
    metrics += [clip, *theirs, *corrected] if compatible else [clip, *corrected, *theirs]
    if failed := len(predictions.failures):
        trials = len(clips) + CLIPS * failed
        metrics += [
            _share(f"accuracy_top{k}", f"accuracy@top{k}", int((clips < k).sum()), trials, AS_WRONG) for k in ks
        ]
        clip = _share("clip_accuracy_clip", "clip_accuracy: clip", right_clips, trials, AS_WRONG)
        metrics += [clip, *_with_mean(clip, AS_WRONG, right_videos, len(videos) + failed)]
    return metrics


def _with_mean(clip: Metric, ending: str, right: int, trials: int) -> tuple[Metric, Metric]:
    """Return `clip_accuracy` over videos, and its mean with the one over clips."""
    video = _share("clip_accuracy_video", "clip_accuracy: video", right, trials, ending)
    name, title = _ended("clip_accuracy_mean", "clip_accuracy: mean", ending)
    return video, Metric(name, title, (clip.value + video.value) / 2, None)


def _share(name: str, title: str, successes: int, trials: int, ending: str = "") -> Metric:
    counts = Proportion(successes, trials)
    return Metric(*_ended(name, title, ending), counts.value, counts)


def _ended(name: str, title: str, ending: str) -> tuple[str, str]:
    name_end, title_end = _ENDINGS[ending]
    return name + name_end, title + title_end


def class_accuracies(predictions: VideoScores) -> tuple[ClassAccuracy, ...]:
    """Return how each class fares that has videos, in output order."""
    result, places = [], ranks(predictions.video_probabilities, predictions.truth)
    for index in np.unique(predictions.truth):
        own = places[predictions.truth == index]
        top1, top5 = (float((own < k).mean()) for k in (1, 5))
        result.append(ClassAccuracy(int(index), predictions.labels[index], len(own), top1, top5))
    return tuple(result)


def confused_pairs(predictions: VideoScores) -> tuple[ConfusedPair, ...]:
    """Return the classes that are taken for others most often, at most 20 pairs."""
    predicted = predictions.video_probabilities.argmax(axis=1)
    matrix = confusion_matrix(predicted, predictions.truth, len(predictions.labels))
    np.fill_diagonal(matrix, 0)
    pairs = sorted(zip(*np.nonzero(matrix), strict=True), key=lambda pair: (-matrix[pair], pair))
    names = predictions.labels
    return tuple(ConfusedPair(names[a], names[b], int(matrix[a, b])) for a, b in pairs[:MAX_PAIRS])


def worst_videos(predictions: VideoScores) -> tuple[WorstVideo, ...]:
    """Return the wrongly classified videos whose own class is least probable, at most 20."""
    scores = predictions.video_probabilities
    own = scores[np.arange(len(scores)), predictions.truth]
    wrong = ranks(scores, predictions.truth) > 0
    order = [index for index in np.argsort(own, kind="stable") if wrong[index]][:MAX_VIDEOS]
    return tuple(
        WorstVideo(
            predictions.keys[index],
            predictions.paths[index],
            predictions.labels[predictions.truth[index]],
            float(own[index]),
            predictions.labels[scores[index].argmax()],
            float(scores[index].max()),
        )
        for index in order
    )

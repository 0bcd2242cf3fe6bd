"""Two evaluations of the same videos against each other: other weights, another precision, another engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quovadis.errors import DatasetError
from quovadis.evaluation.predictions import Predictions
from quovadis.fields import check_values
from quovadis.metrics import Proportion, mcnemar

_ALIKE = ("protocol", "clips", "clip_frames", "crops", "crop_size", "fps", "chunk_frames")
"""Settings that must be the same: views of different frames cannot be compared one by one."""


@dataclass(frozen=True)
class Comparison:
    """How two sets of predictions differ, over the videos that both have."""

    settings: Mapping[str, tuple[Any, Any]]
    """What differs between the two: of a and of b."""
    videos: int
    """In both."""
    only_a: int
    """Videos that b lacks."""
    only_b: int
    """Videos that a lacks."""
    top1_a: Proportion
    top1_b: Proportion
    """Of videos."""
    correct_only_in_a: int
    correct_only_in_b: int
    p_value: float
    """Exact McNemar test: how likely so uneven a split is, or a more uneven one, if both are right equally often."""
    agreement: Proportion
    """Videos whose best class is the same, right or wrong."""
    view_agreement: Proportion
    """Views whose best class is the same."""
    logit_difference_mean: float
    """Mean absolute difference of all views' logits."""
    logit_difference_max: float
    probability_change_mean: float
    """Of a's best class of each view, absolute."""
    probability_change_max: float
    divergence_mean: float
    """Kullback-Leibler divergence of b's softmax from a's, in nats, over views."""

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison in JSON's types."""
        result: dict[str, Any] = {"settings": {name: list(pair) for name, pair in self.settings.items()}}
        for name, value in vars(self).items():
            if isinstance(value, Proportion):
                result[name] = {"value": value.value, **value.to_dict()}
            elif name != "settings":
                result[name] = value
        return result


def compare(a: Predictions, b: Predictions) -> Comparison:
    """Compare two evaluations, video by video and view by view.

    Raises:
        DatasetError: they are of other protocols, classes or labels, or have no video in common; or something else
            was given.
    """
    check_values(Predictions, DatasetError, a=a, b=b)
    _check_alike(a, b)
    in_b = set(b.keys)
    shared = [key for key in a.keys if key in in_b]
    if not shared:
        raise DatasetError("the two evaluations have no video in common; compare runs over the same dataset")
    places_a, places_b = _places(a, shared), _places(b, shared)
    if not np.array_equal(a.truth[places_a], b.truth[places_b]):
        raise DatasetError("the two evaluations have different labels for the same videos; compare runs over one set")
    views_a, views_b = _views(a, places_a), _views(b, places_b)
    same_frames = len(views_a) == len(views_b) and all(
        np.array_equal(getattr(a, name)[views_a], getattr(b, name)[views_b]) for name in ("clip", "crop", "start_frame")
    )
    if not same_frames:
        raise DatasetError("the two evaluations look at different frames of the same videos; evaluate both again")
    right_a, right_b = a.video_ranks[places_a] == 0, b.video_ranks[places_b] == 0
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    best_a, best_b = (p.video_probabilities[i].argmax(axis=1) for p, i in ((a, places_a), (b, places_b)))
    softmax_a, softmax_b = a.probabilities[views_a].astype(np.float64), b.probabilities[views_b].astype(np.float64)
    top_a, top_b = softmax_a.argmax(axis=1), softmax_b.argmax(axis=1)
    rows = np.arange(len(views_a))
    change = np.abs(softmax_a[rows, top_a] - softmax_b[rows, top_a])
    difference = np.abs(a.logits[views_a].astype(np.float64) - b.logits[views_b])
    # Of softmaxes in float32, which do not quite add up to 1, a divergence near 0 would come out below it.
    log_a, log_b = (_log_softmax(p.logits[i].astype(np.float64)) for p, i in ((a, views_a), (b, views_b)))
    divergence = (np.exp(log_a) * (log_a - log_b)).sum(axis=1).clip(min=0)
    count = len(shared)
    return Comparison(
        settings=_differences(a.settings, b.settings),
        videos=count,
        only_a=len(a.keys) - count,
        only_b=len(b.keys) - count,
        top1_a=Proportion(int(right_a.sum()), count),
        top1_b=Proportion(int(right_b.sum()), count),
        correct_only_in_a=only_a,
        correct_only_in_b=only_b,
        p_value=mcnemar(only_a, only_b),
        agreement=Proportion(int((best_a == best_b).sum()), count),
        view_agreement=Proportion(int((top_a == top_b).sum()), len(rows)),
        logit_difference_mean=float(difference.mean()),
        logit_difference_max=float(difference.max()),
        probability_change_mean=float(change.mean()),
        probability_change_max=float(change.max()),
        divergence_mean=float(divergence.mean()),
    )


def _log_softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    shifted = logits - logits.max(axis=1, keepdims=True)
    result: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return result


def _check_alike(a: Predictions, b: Predictions) -> None:
    if a.labels != b.labels:
        raise DatasetError("the two evaluations have different classes; compare runs with the same class names")
    for name in _ALIKE:
        if a.settings.get(name) != b.settings.get(name):
            raise DatasetError(
                f"the two evaluations differ in {name} ({a.settings.get(name)}, {b.settings.get(name)}); "
                "compare runs of one protocol"
            )


def _differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    names = dict.fromkeys([*a, *b])
    return {name: (a.get(name), b.get(name)) for name in names if a.get(name) != b.get(name)}


def _places(predictions: Predictions, keys: list[str]) -> NDArray[np.int64]:
    index_of = {key: index for index, key in enumerate(predictions.keys)}
    return np.array([index_of[key] for key in keys], np.int64)


def _views(predictions: Predictions, indices: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows of the views of videos, video by video."""
    first = np.searchsorted(predictions.video, indices, "left")
    end = np.searchsorted(predictions.video, indices, "right")
    return np.concatenate([np.arange(start, stop) for start, stop in zip(first, end, strict=True)])

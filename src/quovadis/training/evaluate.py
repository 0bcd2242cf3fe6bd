"""How good a network is while it is trained: over clips, and over videos, which are never the same figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from quovadis.errors import VideoError
from quovadis.metrics import mean_average_precision, ranks
from quovadis.metrics.accuracy import top_ks
from quovadis.training.batches import BatchSource
from quovadis.training.distributed import Process
from quovadis.training.losses import Loss, one_hot


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a network makes of the validation part."""

    loss: float
    """Mean over clips."""
    keys: tuple[str, ...]
    """Of each video, in the order of its first clip."""
    targets: NDArray[np.float32]
    """Shape videos,classes, values in 0..1."""
    scores: NDArray[np.float32]
    """Shape videos,classes: the mean of the probabilities of the video's clips."""
    figures: Mapping[str, float]
    """By name: `clip_top1` and `video_top1`, and with more than five classes `clip_top5` and `video_top5`; of several
    labels a video, `clip_map` and `video_map`. Values in 0..1."""

    @property
    def score(self) -> float:
        """What the best weights are chosen by: top-1, or mean average precision, over videos."""
        return self.figures.get("video_top1", self.figures.get("video_map", 0.0))

    def to_dict(self) -> dict[str, Any]:
        """Return the figures, the loss and the number of videos, in JSON's types."""
        return {"videos": len(self.keys), "loss": self.loss, **self.figures}


def evaluate(
    predict: Callable[[Tensor], Tensor],
    source: BatchSource,
    *,
    classes: int,
    views: int,
    loss: Loss,
    multi_label: bool = False,
    process: Process | None = None,
    device: torch.device | None = None,
) -> Evaluation:
    """Run a network over all views of all videos.

    Args:
        predict: takes clips as the source gives them, on the device; returns logits, shape B,classes.
        source: whose epochs are the views: epoch 0 has one clip of each video, epoch 1 another.
        classes: of the network.
        views: clips of each video.
        loss: for the mean loss.
        multi_label: whether a video may be of several classes: scores are then sigmoids, and figures are mean average
            precisions.
        process: of several, each of which has its own part of the videos; all return the same.
        device: where the network is; None: the CPU.

    Raises:
        VideoError: none of the videos could be read.
    """
    found: dict[tuple[str, int], tuple[NDArray[np.float32], NDArray[np.float32], float]] = {}
    device = device or torch.device("cpu")
    with torch.no_grad():
        for view in range(views):
            for batch in source.epoch(view):
                logits = predict(batch.clips.to(device)).float()
                targets = one_hot(batch.targets.to(device), classes)
                scores = (logits.sigmoid() if multi_label else logits.softmax(1)).cpu().numpy()
                losses, own = loss(logits, targets, "none").tolist(), targets.cpu().numpy()
                for index, key in enumerate(batch.keys):
                    found[key, view] = scores[index], own[index], losses[index]
    for part in (process or Process()).gathered(found):
        found = {**part, **found} if part is not found else found
    if not found:
        raise VideoError("none of the videos to validate with could be read: replace them")
    # In one order, however many processes there are.
    return summarize({key: found[key] for key in sorted(found)}, multi_label=multi_label)


def summarize(
    clips: Mapping[tuple[str, int], tuple[NDArray[np.float32], NDArray[np.float32], float]], *, multi_label: bool
) -> Evaluation:
    """Return the evaluation of clips, given by video and view as scores, targets and loss."""
    of_video: dict[str, list[int]] = {}
    for number, (key, _) in enumerate(clips):
        of_video.setdefault(key, []).append(number)
    scores = np.stack([clip[0] for clip in clips.values()])
    targets = np.stack([clip[1] for clip in clips.values()])
    losses = [clip[2] for clip in clips.values()]
    firsts = [numbers[0] for numbers in of_video.values()]
    means = np.stack([scores[numbers].mean(0) for numbers in of_video.values()])
    measure = _precision if multi_label else _accuracy
    figures = {**measure("clip", scores, targets), **measure("video", means, targets[firsts])}
    return Evaluation(float(np.mean(losses)), tuple(of_video), targets[firsts], means, figures)


def _accuracy(name: str, scores: NDArray[np.float32], targets: NDArray[np.float32]) -> dict[str, float]:
    found = ranks(scores, targets.argmax(1))
    return {f"{name}_top{k}": float((found < k).mean()) for k in top_ks(scores.shape[1])}


def _precision(name: str, scores: NDArray[np.float32], targets: NDArray[np.float32]) -> dict[str, float]:
    return {f"{name}_map": mean_average_precision(scores, targets > 0.5)}


def video_records(evaluation: Evaluation, labels: Sequence[str]) -> list[dict[str, Any]]:
    """Return what is to be known of each video, in JSON's types: its classes, the one found, and all scores."""
    return [
        {
            "key": key,
            "labels": [labels[index] for index in np.flatnonzero(target > 0.5).tolist()],
            "predicted": labels[int(score.argmax())],
            "scores": [round(float(value), 6) for value in score],
        }
        for key, target, score in zip(evaluation.keys, evaluation.targets, evaluation.scores, strict=True)
    ]

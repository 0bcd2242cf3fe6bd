"""Predictions of a network that was never run, with chosen ranks of the true class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quovadis.evaluation.predictions import Failure, Predictions


def predictions(
    logits: NDArray[np.float32], truth: list[int], *, protocol: str, failures: tuple[Failure, ...] = ()
) -> Predictions:
    """Views of shape videos, views, classes."""
    videos, views, classes = logits.shape
    zeros = np.zeros(videos * views, np.int64)
    return Predictions(
        settings={"protocol": protocol},
        dataset={},
        labels=tuple(f"class {index}" for index in range(classes)),
        keys=tuple(f"video {number}" for number in range(videos)),
        paths=tuple(f"video {number}.mp4" for number in range(videos)),
        truth=np.array(truth, np.int64),
        frames=np.full(videos, 250),
        video=np.repeat(np.arange(videos), views),
        clip=np.tile(np.arange(views), videos),
        crop=zeros,
        start_frame=zeros,
        logits=logits.reshape(videos * views, classes),
        failures=failures,
    )


def scored(ranks: list[list[int]], classes: int = 8) -> NDArray[np.float32]:
    """Logits of which class 0, the true one, has the given rank in each view."""
    logits = np.zeros((len(ranks), len(ranks[0]), classes), np.float32)
    for video, views in enumerate(ranks):
        for view, rank in enumerate(views):
            # `rank` classes are before class 0, the same ones in every view.
            logits[video, view] = -np.arange(classes) * 0.01 - 1
            logits[video, view, 0] = 0
            logits[video, view, 1 : rank + 1] = 1
    return logits


def one_view(ranks: list[int]) -> Predictions:
    return predictions(scored([[rank] for rank in ranks]), [0] * len(ranks), protocol="deepmind")

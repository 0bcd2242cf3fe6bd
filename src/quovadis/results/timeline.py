"""Predictions over time merged into segments: what is done, from when to when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quovadis.errors import ArchitectureError
from quovadis.fields import check_value

if TYPE_CHECKING:
    from quovadis.results.predictions import ClipPrediction

DEFAULT_THRESHOLD = 0.3


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


def merge_segments(clips: Iterable[ClipPrediction], threshold: float = DEFAULT_THRESHOLD) -> tuple[Segment, ...]:
    """Merge neighbouring predictions of one class into segments.

    Each prediction stands for its most probable class, if that has a probability of at least `threshold`, else for
    nothing; a segment's score is the mean of its predictions' probabilities. Smoothing is the predictions' own: in
    dense mode each is the mean of a window of steps.

    Args:
        clips: in order of time, as `VideoPrediction.clips` has them.
        threshold: in 0..1.

    Raises:
        ArchitectureError: another threshold.
    """
    threshold = check_value("threshold", threshold, float, ArchitectureError, at_least=0, at_most=1)
    segments: list[Segment] = []
    scores: list[float] = []
    open_index: int | None = None
    for clip in clips:
        (best,) = clip.top(1)
        if best.probability < threshold:
            open_index = None
            continue
        if best.index == open_index:
            scores.append(best.probability)
            before = segments.pop()
            start_seconds = before.start_seconds
        else:
            scores, open_index, start_seconds = [best.probability], best.index, clip.start_seconds
        score = sum(scores) / len(scores)
        segments.append(Segment(best.index, best.label, start_seconds, clip.end_seconds, score))
    return tuple(segments)

"""What an evaluation yields before anything is counted: the network's views of every video, and what has none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from quovadis.metrics import ranks
from quovadis.results import softmax
from quovadis.values import ArrayEquality, read_only


class VideoScores(Protocol):
    """What classes, confusion and worst videos are counted from, whatever gave the probabilities."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names in output order."""
        ...

    @property
    def keys(self) -> tuple[str, ...]:
        """What the dataset calls each video."""
        ...

    @property
    def paths(self) -> tuple[str, ...]:
        """Of each video."""
        ...

    @property
    def truth(self) -> NDArray[np.int64]:
        """Class of each video."""
        ...

    @property
    def video_probabilities(self) -> NDArray[np.float64]:
        """Of each video, shape videos, classes."""
        ...


@dataclass(frozen=True)
class Failure:
    """An example that could not be evaluated."""

    key: str
    path: str
    """Empty if there is none."""
    label: int
    kind: Literal["missing", "unreadable"]
    reason: str


@dataclass(frozen=True)
class PartialVideo:
    """A video that was evaluated by what is there of it."""

    key: str
    path: str
    notes: tuple[str, ...]
    """What is wrong with it, in plain sentences."""


@dataclass(frozen=True, eq=False, repr=False)
class Predictions(ArrayEquality):
    """Views of labelled videos as arrays, a row a view; those of one video stand together."""

    settings: Mapping[str, Any]
    """Everything that the views depend on: protocol, weights, engine."""
    dataset: Mapping[str, Any]
    """Which videos were looked at: source, format, number of examples."""
    labels: tuple[str, ...]
    """Class names in output order."""
    keys: tuple[str, ...]
    """What the dataset calls each video."""
    paths: tuple[str, ...]
    """Of each video."""
    truth: NDArray[np.int64]
    """Class of each video."""
    frames: NDArray[np.int64]
    """Of each video, at the protocol's rate."""
    video: NDArray[np.int64]
    """Place among the videos of each view, ascending."""
    clip: NDArray[np.int64]
    """Number of the clip of each view."""
    crop: NDArray[np.int64]
    """Number of the crop of each view."""
    start_frame: NDArray[np.int64]
    """First frame of each view."""
    logits: NDArray[np.float32]
    """Shape views, classes."""
    failures: tuple[Failure, ...] = ()
    incomplete: tuple[PartialVideo, ...] = ()
    """Videos among the evaluated ones that are damaged or cut off."""

    def __repr__(self) -> str:
        return f"Predictions({self.settings.get('protocol')}: {self.counts})"

    @property
    def counts(self) -> str:
        """How many of the dataset's videos were evaluated, in a sentence."""
        kinds = [failure.kind for failure in self.failures]
        partly = f" ({len(self.incomplete):,} of them partly decoded)" if self.incomplete else ""
        return (
            f"{len(self.keys):,} of {len(self.keys) + len(kinds):,} videos evaluated{partly}, "
            f"{kinds.count('missing'):,} missing, {kinds.count('unreadable'):,} unreadable"
        )

    @cached_property
    def probabilities(self) -> NDArray[np.float32]:
        """Softmax of each view, shape views, classes."""
        return read_only(softmax(self.logits))

    @cached_property
    def video_probabilities(self) -> NDArray[np.float64]:
        """Mean softmax of each video's views, shape videos, classes."""
        sums = np.zeros((len(self.keys), len(self.labels)))
        np.add.at(sums, self.video, self.probabilities.astype(np.float64))
        counts = np.bincount(self.video, minlength=len(self.keys))
        return read_only(sums / counts[:, np.newaxis])

    @cached_property
    def view_ranks(self) -> NDArray[np.int64]:
        """Place of the true class among the classes of each view, 0 the first."""
        return read_only(ranks(self.probabilities, self.truth[self.video]))

    @cached_property
    def video_ranks(self) -> NDArray[np.int64]:
        """Place of the true class among the classes of each video, 0 the first."""
        return read_only(ranks(self.video_probabilities, self.truth))

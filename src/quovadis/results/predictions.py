"""What recognition yields: predictions of clips and of whole videos, with where they came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quovadis.errors import ArchitectureError
from quovadis.escape import abbreviated, escaped, shortened
from quovadis.extras import import_extra
from quovadis.fields import check_value
from quovadis.notebook import html_table, percent
from quovadis.results.timeline import DEFAULT_THRESHOLD, Segment, merge_segments
from quovadis.values import ArrayValue, read_only

ROW_COLUMNS = (
    "source",
    "scope",
    "clip",
    "start_seconds",
    "end_seconds",
    "rank",
    "index",
    "label",
    "probability",
    "weights",
    "weights_sha256",
    "incomplete",
)
"""Columns of the rows that records and tables have, in order."""


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
class ClassScores(ArrayValue):
    """A probability for each class; arrays are read-only, because probabilities and best classes follow from them."""

    labels: tuple[str, ...] = field(repr=False)
    """Names of the classes, in the order of the probabilities."""

    def __post_init__(self) -> None:
        for name, value in list(vars(self).items()):
            if isinstance(value, np.ndarray):
                object.__setattr__(self, name, read_only(value))

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """Shape classes, values in 0..1."""
        raise NotImplementedError

    def top(self, count: int = 5) -> list[Prediction]:
        """Return the `count` most probable classes, best first.

        Raises:
            ArchitectureError: `count` is no whole number, or negative.
        """
        count = check_value("count", count, int, ArchitectureError, at_least=0)
        probabilities = self.probabilities
        # A stable sort of the negated values ranks ties by class index, on every platform alike.
        order = np.argsort(-probabilities, kind="stable")[:count]
        return [Prediction(int(index), self.labels[index], float(probabilities[index])) for index in order]

    def to_pandas(self, count: int = 5) -> Any:
        """Return a pandas `DataFrame` with a row for each of the `count` best classes.

        Raises:
            MissingDependencyError: pandas is not installed.
        """
        return _data_frame(self._rows(count))

    def _rows(self, count: int) -> list[dict[str, Any]]:
        return [{"rank": rank, **vars(best)} for rank, best in enumerate(self.top(count), start=1)]

    def _best(self) -> str:
        (best,) = self.top(1)
        return f"{shortened(best.label)} {percent(best.probability)}"

    def _html(self, caption: str, notes: Sequence[str] = ()) -> str:
        return html_table(
            caption, ("class", "probability"), [(best.label, percent(best.probability)) for best in self.top()], notes
        )


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class TimedScores(ClassScores):
    """What the network says of a stretch of a video."""

    index: int
    """Number of the clip or step, from 0."""
    start_seconds: float
    """Time of the first frame, from the start of the video."""
    end_seconds: float
    """Time at which the last frame ends."""
    logits: NDArray[np.float32]
    """Shape classes."""

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """Softmax of the logits, shape classes, values in 0..1."""
        return read_only(softmax(self.logits))

    def to_dict(self, count: int = 5) -> dict[str, Any]:
        """Return the result in JSON's types, with the `count` best classes."""
        return {
            "index": self.index,
            **times(self.start_seconds, self.end_seconds),
            **self._own(),
            "top": [asdict(best) for best in self.top(count)],
        }

    def _own(self) -> dict[str, Any]:
        raise NotImplementedError

    def _rows(self, count: int) -> list[dict[str, Any]]:
        return [{**times(self.start_seconds, self.end_seconds), **row} for row in super()._rows(count)]

    def _span(self) -> str:
        return f"{self.start_seconds:.2f}-{self.end_seconds:.2f} s"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.index}, {self._span()}: {self._best()})"

    def _repr_html_(self) -> str:
        return self._html(f"{self.index}: {self._span()}")


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ClipPrediction(TimedScores):
    """What the network says of one clip or, in dense mode, of one step of 8 frames.

    In dense mode the logits are the mean of the steps of a window around this one.
    """

    frames: int
    """Frames of the video in the clip, before any looping."""
    looped: bool
    """Whether frames were repeated to fill the clip."""
    features: NDArray[np.float32] | None = None
    """Pooled features that the network made on the way, shape 1024: the mean of the clip's steps, in dense mode
    those of the step itself; None where an engine's output was not at hand."""

    def _own(self) -> dict[str, Any]:
        return {"frames": self.frames, "looped": self.looped}


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class StepPrediction(TimedScores):
    """What the network says of the last steps of a video that goes on.

    The times are those of the 8 frames around the centre of the newest step; the logits are the mean of the last steps,
    as many as the window has.
    """

    step_logits: NDArray[np.float32]
    """Of the newest step alone, shape classes."""
    delay_seconds: float | None = None
    """Of a live source: from the capture of the newest step's last frame until now. None where nothing is live."""

    def _own(self) -> dict[str, Any]:
        return {"delay_seconds": self.delay_seconds}


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class VideoPrediction(ClassScores):
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
    incomplete: bool = False
    """Whether the file was damaged or cut off and what was there was classified on request."""
    mean_logits: NDArray[np.float32] | None = None
    """In dense mode, the mean of all steps, shape classes."""
    timeline: tuple[Segment, ...] | None = None
    """Segments to be shown in tables, plots and records; None: none were asked for. See `segments`."""
    notes: tuple[str, ...] = ()
    """Plain sentences on what was unusual: looped, cut off, interrupted."""

    @cached_property
    def probabilities(self) -> NDArray[np.float32]:
        """Shape classes, values in 0..1."""
        if self.mean_logits is not None:
            return read_only(softmax(self.mean_logits))
        mean: NDArray[np.float64] = np.mean([clip.probabilities for clip in self.clips], axis=0, dtype=np.float64)
        return read_only(mean.astype(np.float32))

    def segments(self, threshold: float = DEFAULT_THRESHOLD) -> tuple[Segment, ...]:
        """Return what is done from when to when: neighbouring clips with the same best class, merged.

        Args:
            threshold: in 0..1; clips whose best class is less probable belong to no segment.

        Raises:
            ArchitectureError: another threshold.
        """
        return merge_segments(self.clips, threshold)

    def to_dict(self, count: int = 5) -> dict[str, Any]:
        """Return the result in JSON's types, with the `count` best classes of the video and of each clip."""
        return {
            "source": escaped(self.source),
            "weights": asdict(self.weights),
            "engine": dict(self.engine),
            "top": [asdict(best) for best in self.top(count)],
            "clips": [clip.to_dict(count) for clip in self.clips],
            "dense": self.mean_logits is not None,
            **({} if self.timeline is None else {"segments": [asdict(segment) for segment in self.timeline]}),
            "incomplete": self.incomplete,
            "notes": list(map(escaped, self.notes)),
        }

    def to_rows(self, count: int = 5) -> list[dict[str, Any]]:
        """Return a row for each of the `count` best classes of the video and of each clip, and for each segment."""
        common = {
            "source": self.source,
            "weights": self.weights.name,
            "weights_sha256": self.weights.sha256,
            "incomplete": self.incomplete,
        }
        video = {"scope": "video", **times(self.clips[0].start_seconds, self.clips[-1].end_seconds)}
        rows = [{**video, **row} for row in self._rows(count)]
        for clip in self.clips:
            rows += [{"scope": "clip", "clip": clip.index, **row} for row in clip._rows(count)]
        for number, segment in enumerate(self.timeline or ()):
            span = {"scope": "segment", "clip": number, **times(segment.start_seconds, segment.end_seconds)}
            rows.append({**span, "rank": 1, **vars(Prediction(segment.index, segment.label, segment.score))})
        return [{**common, **row} for row in rows]

    def to_pandas(self, count: int = 5) -> Any:
        """Return a pandas `DataFrame` with the columns and rows of a CSV record, see `to_rows`.

        Raises:
            MissingDependencyError: pandas is not installed.
        """
        rows = self.to_rows(count)
        frame = _data_frame(rows) if rows else _data_frame([dict.fromkeys(ROW_COLUMNS)]).iloc[:0]
        # Rows of the whole video have no clip, which must not turn the other numbers into floats.
        return frame.astype({"clip": "Int64"})[[name for name in ROW_COLUMNS if name in frame]]

    def _facts(self) -> str:
        seconds = self.clips[-1].end_seconds - self.clips[0].start_seconds
        what = "step" if self.mean_logits is not None else "clip"
        count = f"1 {what}" if len(self.clips) == 1 else f"{len(self.clips)} {what}s"
        return f"{count}, {seconds:.2f} s{', incomplete' if self.incomplete else ''}"

    def __repr__(self) -> str:
        return f"VideoPrediction({shortened(self.source)}: {self._best()}, {self._facts()})"

    def _repr_html_(self) -> str:
        return self._html(f"{abbreviated(self.source)}: {self._facts()}, {self.weights.name}", self.notes)


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the softmax over the last axis."""
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: NDArray[np.float32] = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return probabilities


def times(start_seconds: float, end_seconds: float) -> dict[str, float]:
    """Return a stretch of a video as records have it, to the microsecond."""
    return {"start_seconds": round(start_seconds, 6), "end_seconds": round(end_seconds, 6)}


def _data_frame(rows: Sequence[Mapping[str, Any]]) -> Any:
    pandas = import_extra("pandas", "a table of results")
    # Names of files may hold bytes that are no text, which pandas does not take.
    texts = [{name: escaped(value) if isinstance(value, str) else value for name, value in row.items()} for row in rows]
    return pandas.DataFrame(texts)

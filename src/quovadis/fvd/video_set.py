"""From a set of videos to its statistics."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import convolutions
from quovadis.errors import MetricError, UnexpectedError, VideoError
from quovadis.fvd.options import FVDOptions
from quovadis.fvd.set_videos import SetVideo
from quovadis.fvd.statistics import LengthStatistics, Statistics
from quovadis.metrics import Moments
from quovadis.recognizer import Recognizer
from quovadis.runs.executor import Cancelled, VideoObserver, map_unordered
from quovadis.version import __version__
from quovadis.video import clips_at
from quovadis.video.converters import StretchConverter

_BATCH_ROWS = 256
"""Clips whose features are added to the moments at a time."""


@dataclass(frozen=True)
class SkippedVideo:
    """A video that does not count, or not at every length."""

    name: str
    reason: str
    is_fault: bool = False
    """Whether that is an unexpected exception."""


def set_statistics(
    recognizer: Recognizer,
    source: str,
    members: Sequence[SetVideo],
    options: FVDOptions,
    *,
    keep_features: bool = True,
    workers: int = 2,
    observer: VideoObserver | None = None,
    on_skip: Callable[[SkippedVideo], None] | None = None,
) -> Statistics:
    """Run the network over a set of videos.

    The same set gives the same statistics whatever the number of workers. Lengths that no video is long enough for are
    left out, if there is any other.

    Args:
        recognizer: the network.
        source: what errors call the set.
        members: its videos, as `list_videos` gives them.
        options: which frames, pixels and features.
        keep_features: whether the features stay with the moments; KVD and the bootstrap need them.
        workers: videos processed at once, 1 or more.
        observer: told how far the run has come.
        on_skip: called with each video that is too short for a length, or cannot be read.

    Raises:
        MetricError: no video is long enough for any length.
        EngineError: the device failed.
    """
    if observer is not None:
        observer.start(len(members), 0)
    sums = {frames: _Sum(keep_features) for frames in options.frames}
    skipped: list[SkippedVideo] = []

    def skip(name: str, reason: str, *, is_fault: bool = False) -> None:
        skipped.append(SkippedVideo(name, reason, is_fault))
        if on_skip is not None:
            on_skip(skipped[-1])

    def make(item: tuple[int, SetVideo], stop: Event) -> dict[int, NDArray[np.float32]]:
        return dict(_member_features(recognizer, item[1], options, stop))

    for member, result, error in _in_order(
        map_unordered(make, enumerate(members), workers, name=lambda item: item[1].name)
    ):
        if error is not None:
            skip(member.name, str(error), is_fault=isinstance(error, UnexpectedError))
        for frames, features in (result or {}).items():
            sums[frames].add(features)
        short = [frames for frames in options.frames if result is not None and frames not in result]
        if short:
            skip(member.name, f"too short for clips of {', '.join(map(str, short))} frames")
        if observer is not None:
            observer.advance("")
    lengths = {frames: total.statistics() for frames, total in sums.items() if total.count}
    if not lengths:
        asked = ", ".join(map(str, options.frames))
        raise MetricError(
            f"{source}: none of its {len(members)} videos gives a clip of {asked} frames; ask for fewer with `frames`"
        )
    measured = {
        "source": source,
        "videos": len(members),
        "left_out": [{"name": video.name, "reason": video.reason} for video in skipped],
        "quovadis": __version__,
        "weights": recognizer.weights.name,
        **recognizer.engine.description,
    }
    return Statistics(source, set_settings(recognizer, options), lengths, (measured,))


def set_settings(recognizer: Recognizer, options: FVDOptions) -> dict[str, Any]:
    """Return the settings that statistics would have."""
    return {**options.settings(), "weights_sha256": recognizer.weights.sha256}


def set_dimension(recognizer: Recognizer, options: FVDOptions) -> int:
    """Return how many numbers the features of a clip would have."""
    *_, (_, pooled) = convolutions()
    return len(recognizer.labels) if options.features == "logits" else pooled


class _Sum:
    """Features of one length, gathered into moments a batch at a time."""

    def __init__(self, keep: bool) -> None:
        self._keep = keep
        self._moments: Moments | None = None
        self._waiting: list[NDArray[np.float32]] = []
        self._kept: list[NDArray[np.float32]] = []
        self._clips: list[int] = []
        self.count = 0

    def add(self, features: NDArray[np.float32]) -> None:
        """Take the features of one video."""
        self._waiting.append(features)
        self._clips.append(len(features))
        self.count += len(features)
        if sum(map(len, self._waiting)) >= _BATCH_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            batch = np.concatenate(self._waiting)
            self._moments = self._moments or Moments(batch.shape[1])
            self._moments.add(batch)
            if self._keep:
                self._kept.append(batch)
            self._waiting = []

    def statistics(self) -> LengthStatistics:
        self._flush()
        if self._moments is None:
            raise MetricError("there are no features")
        if not self._keep:
            return LengthStatistics(self._moments)
        videos = np.repeat(np.arange(len(self._clips)), self._clips) if max(self._clips) > 1 else None
        return LengthStatistics(self._moments, np.concatenate(self._kept), videos)


def clip_windows(name: str, count: int | None, frames: int, options: FVDOptions) -> list[list[int]]:
    """Return the frames of each clip of a video, by their numbers; none of a video that is too short.

    Args:
        name: of the video in its set, which with the seed decides where random clips start.
        count: of its frames; None if it is not known, which is enough for first clips.
        frames: of a clip.
        options: which clips.
    """
    room = 1 if count is None else count - options.span(frames) + 1
    if room < 1:
        return []
    if options.clips == "first":
        starts = [0]
    else:
        generator = np.random.default_rng([options.seed, zlib.crc32(name.encode("utf-8", "surrogateescape")), frames])
        starts = []
        # None twice: a clip that counted twice would be no evidence of its own.
        while len(starts) < min(options.clips_per_video, room):
            start = int(generator.integers(room))
            if start not in starts:
                starts.append(start)
    return [[start + place * options.frame_step for place in range(frames)] for start in starts]


def _member_features(
    recognizer: Recognizer, member: SetVideo, options: FVDOptions, stop: Event
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield for each length the features of its clips, shape clips, dimensions; lengths without a clip are left out."""

    def check() -> None:
        if stop.is_set():
            raise Cancelled

    video = member.reader(check)
    count = video.count_frames() if options.clips == "random" else None
    windows = [
        (frames, window) for frames in options.frames for window in clip_windows(member.name, count, frames, options)
    ]
    if not windows:
        return
    found: dict[int, NDArray[np.float32]] = {}
    for clip in clips_at(
        video,
        [window for _, window in windows],
        fps="native",
        converter=lambda: StretchConverter(options.coordinate_mode),
    ):
        output = recognizer.engine.run(clip.pixels[np.newaxis])
        pooled: NDArray[np.float32] = output.features[0].mean(axis=0, dtype=np.float32)
        found[clip.index] = output.logits[0] if options.features == "logits" else pooled
    for length in options.frames:
        rows = [found[number] for number, (frames, _) in enumerate(windows) if frames == length and number in found]
        if rows:
            yield length, np.stack(rows)


def _in_order(
    done: Iterator[Any],
) -> Iterator[tuple[SetVideo, dict[int, NDArray[np.float32]] | None, VideoError | None]]:
    """Yield what was numbered by `enumerate` in that order: sums of floats depend on it."""
    waiting: dict[int, Any] = {}
    wanted = 0
    for (number, member), result, error in done:
        waiting[number] = member, result, error
        while wanted in waiting:
            yield waiting.pop(wanted)
            wanted += 1

"""From a set of videos to its statistics."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import convolutions
from quovadis.errors import MetricError, UnexpectedError, VideoError
from quovadis.fvd.options import FVDOptions
from quovadis.fvd.set_videos import IN_MEMORY, SetVideo
from quovadis.fvd.statistics import LengthStatistics, Statistics
from quovadis.metrics import Moments
from quovadis.recognizer import Recognizer, with_makers
from quovadis.results.codec import pack, readable, unpack
from quovadis.runs.executor import ThreadExecutor, VideoObserver
from quovadis.runs.ledger import Ledger
from quovadis.runs.tasks import DoneVideo, VideoTask
from quovadis.runs.videos import VideoWatch, run_videos
from quovadis.version import __version__
from quovadis.video import clips_at
from quovadis.video.converters import StretchConverter
from quovadis.video.keys import video_key, video_path

Features: TypeAlias = "dict[int, NDArray[np.float32]]"
"""Of the clips of one video, by their length: shape clips, dimensions."""

_BATCH_ROWS = 256
"""Clips whose features are added to the moments at a time."""


@dataclass(frozen=True)
class SkippedVideo:
    """A video that does not count, or not at every length."""

    source: str
    """Its path, as the set was given."""
    error: str
    """A sentence that names it and says why."""
    kind: str = VideoError.__name__
    """Class of the error."""

    @property
    def is_fault(self) -> bool:
        """Whether that is an unexpected exception."""
        return self.kind == UnexpectedError.__name__


def set_statistics(
    recognizer: Recognizer,
    source: str,
    videos: Sequence[SetVideo],
    options: FVDOptions,
    *,
    keep_features: bool = True,
    workers: int = 2,
    ledger: Ledger | None = None,
    observer: VideoObserver | None = None,
    on_skip: Callable[[SkippedVideo], None] | None = None,
) -> Statistics:
    """Run the network over a set of videos.

    The same set gives the same statistics whatever the number of workers, and however often the run was interrupted.
    Lengths that no video is long enough for are left out, if there is any other.

    Args:
        recognizer: the network.
        source: what errors call the set.
        videos: those of the set, as `list_videos` gives them.
        options: which frames, pixels and features.
        keep_features: whether the features stay with the moments; KVD and the bootstrap need them.
        workers: videos processed at once, 1 or more.
        ledger: an open one, where the features of each video are kept and found; None: they are not.
        observer: told how far the run has come.
        on_skip: called with each video that is too short for a length, or cannot be read.

    Raises:
        MetricError: no video is long enough for any length.
        OutputError: the ledger is damaged, or cannot be written.
        EngineError: the device failed.
    """
    sums = {frames: _Sum(keep_features) for frames in options.frames}
    skipped: list[SkippedVideo] = []
    tasks = [
        VideoTask(_key(source, video.name, options), video.name, _path(source, video.name), video) for video in videos
    ]

    def skip(video: SetVideo, error: VideoError) -> None:
        # The frames of an array have no path.
        shown = video.name if source == IN_MEMORY else video.source.name
        reason = str(error).removeprefix(f"{video.source.name}: ").removeprefix(f"{shown}: ")
        skipped.append(SkippedVideo(shown, f"{shown}: {reason}", type(error).__name__))
        if on_skip is not None:
            on_skip(skipped[-1])

    def work(task: VideoTask[SetVideo], watch: VideoWatch) -> Features:
        return dict(_video_features(recognizer, task.payload, options, watch))

    def take(video: DoneVideo[SetVideo, Features]) -> None:
        for frames, features in video.result.items():
            sums[frames].add(features)
        short = [frames for frames in options.frames if frames not in video.result]
        if short:
            lengths = ", ".join(map(str, short))
            skip(video.task.payload, VideoError(f"too short for clips of {lengths} frames"))

    run_videos(
        tasks,
        work,
        codec=FeaturesCodec(),
        ledger=ledger,
        executor=ThreadExecutor(workers),
        # Sums of floats depend on it.
        ordered=True,
        observer=observer,
        on_done=take,
        on_failure=lambda task, error: skip(task.payload, error),
    )
    lengths = {frames: total.statistics() for frames, total in sums.items() if total.count}
    if not lengths:
        asked = ", ".join(map(str, options.frames))
        raise MetricError(f"{source}: none of its videos gives a clip of {asked} frames; ask for fewer with `frames`")
    provenance = {
        "source": source,
        "videos": len(videos),
        "failures": [asdict(video) for video in skipped],
        "quovadis": __version__,
        "weights": recognizer.weights.name,
        **recognizer.engine.description,
    }
    makers = [] if ledger is None else ledger.makers(task.key for task in tasks)
    provenance = with_makers(provenance, makers or [recognizer.maker])
    return Statistics(source, set_settings(recognizer, options), lengths, (provenance,))


def set_settings(recognizer: Recognizer, options: FVDOptions) -> dict[str, Any]:
    """Return the settings that statistics would have."""
    return {**options.settings(), "weights_sha256": recognizer.weights.sha256}


def set_dimension(classes: int | None, options: FVDOptions) -> int | None:
    """Return how many numbers the features of a clip would have; None: as many as the network's classes, not known."""
    *_, (_, pooled) = convolutions()
    return classes if options.features == "logits" else pooled


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
    return [[start + number * options.frame_step for number in range(frames)] for start in starts]


def _video_features(
    recognizer: Recognizer, video: SetVideo, options: FVDOptions, watch: VideoWatch
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield for each length the features of its clips, shape clips, dimensions; lengths without a clip are left out."""
    reader = video.reader(watch.check)
    count = reader.count_frames() if options.clips == "random" else None
    windows = [
        (frames, window) for frames in options.frames for window in clip_windows(video.name, count, frames, options)
    ]
    if not windows:
        return
    found: dict[int, NDArray[np.float32]] = {}
    for clip in clips_at(
        reader,
        [window for _, window in windows],
        fps="native",
        converter=lambda: StretchConverter(options.coordinate_mode),
    ):
        watch.reach(len(found), len(windows))
        output = recognizer.engine.run(clip.pixels[np.newaxis])
        pooled: NDArray[np.float32] = output.features[0].mean(axis=0, dtype=np.float32)
        found[clip.index] = output.logits[0] if options.features == "logits" else pooled
    for length in options.frames:
        rows = [found[number] for number, (frames, _) in enumerate(windows) if frames == length and number in found]
        if rows:
            yield length, np.stack(rows)


class FeaturesCodec:
    """Features of one video, for the ledger of a run."""

    def encode(self, features: Features) -> bytes:
        """Return a video's features as bytes."""
        return pack(list(features), list(features.values()))

    def decode(self, content: bytes) -> Features:
        """Read what `encode` wrote.

        Raises:
            ValueError: it is something else, or not whole.
        """
        lengths, arrays = unpack(content)
        with readable():
            return {int(frames): values for frames, values in zip(lengths, arrays, strict=True)}


def _key(source: str, name: str, options: FVDOptions) -> str:
    """Return what tells a video's features from all others, so that several comparisons can share a file."""
    settings = {**options.settings(), "frames": options.frames}
    return json.dumps([video_key(source), name, settings], sort_keys=True)


def _path(source: str, name: str) -> Path:
    """Return the file or folder that holds a video of a set."""
    path = video_path(source)
    if not path.is_dir():
        return path
    # A video of an array is called by its number too, and a folder of frames by its own name.
    inside = (path / name, path / name.rpartition("[")[0])
    return next((file for file in inside if file != path and file.exists()), path)

"""The backbone's features of clips, computed once by the fast engine and kept on disk."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from quovadis.datasets import Example
from quovadis.errors import VideoError
from quovadis.recognizer import Recognizer
from quovadis.runs.executor import ThreadExecutor, VideoObserver
from quovadis.runs.ledger import Ledger
from quovadis.runs.tasks import DoneVideo, VideoTask
from quovadis.runs.videos import VideoWatch, run_videos


class VideoClips(Protocol):
    """The clips of labelled videos: one of each video in an epoch, such as a `ClipDataset`."""

    @property
    def examples(self) -> tuple[Example, ...]:
        """The videos, in the order of their indices."""
        ...

    @property
    def targets(self) -> NDArray[Any]:
        """Index of the class of each video, shape videos; or values for each class, shape videos,classes."""
        ...

    def clip(self, epoch: int, index: int) -> Any:
        """Return a clip of a video: an object with `clip`, uint8, shape D,H,W,3; epochs are its views.

        Raises:
            VideoError: the video cannot be read.
        """
        ...


@dataclass(frozen=True, eq=False)
class HeadFeatures:
    """Features of videos, several clips of each."""

    keys: tuple[str, ...]
    """What the dataset calls the videos that could be read."""
    values: NDArray[np.float32]
    """Shape videos,views,1024: pooled over space and time."""
    targets: NDArray[Any]
    """Of these videos, as the dataset has them."""
    failures: Mapping[str, str]
    """Why the others could not be read, by key."""


class _FeaturesCodec:
    """Features of one video as bytes."""

    def __init__(self, views: int) -> None:
        self._views = views

    def encode(self, result: NDArray[np.float32]) -> bytes:
        return np.ascontiguousarray(result, "<f4").tobytes()

    def decode(self, content: bytes) -> NDArray[np.float32]:
        return np.frombuffer(content, "<f4").reshape(self._views, -1)


def head_features(
    recognizer: Recognizer,
    clips: VideoClips,
    folder: Path,
    *,
    views: int,
    settings: Mapping[str, Any],
    workers: int = 1,
    observer: VideoObserver | None = None,
    on_failure: Callable[[str, VideoError], None] | None = None,
) -> HeadFeatures:
    """Compute features, or find those that an earlier run has computed of the same clips with the same weights.

    Args:
        recognizer: whose network computes them; its last layer plays no part.
        clips: of labelled videos.
        folder: where they are kept, in a file for each set of settings.
        views: clips of each video.
        settings: everything that decides the clips but the videos, in JSON's types.
        workers: videos processed at once, 1 or more.
        observer: told how far it has come.
        on_failure: called with what the dataset calls a video, and why it could not be read.

    Raises:
        VideoError: no video could be read.
        OutputError: the folder cannot be written, or another process is at work in it.
        EngineError: the device failed.
    """
    decisive = {**settings, **recognizer.result_settings, "views": views}
    digest = hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()
    found: dict[int, NDArray[np.float32]] = {}
    failures: dict[str, str] = {}

    def work(task: VideoTask[int], watch: VideoWatch) -> NDArray[np.float32]:
        rows = []
        for view in range(views):
            watch.reach(view, views)
            output = recognizer.run(clips.clip(view, task.payload).clip[np.newaxis])
            rows.append(output.features[0].mean(0, dtype=np.float32))
        return np.stack(rows)

    def take(video: DoneVideo[int, NDArray[np.float32]]) -> None:
        found[video.task.payload] = video.result

    def fail(task: VideoTask[int], error: VideoError) -> None:
        failures[task.key] = str(error)
        if on_failure is not None:
            on_failure(task.key, error)

    tasks = [
        VideoTask(example.key, str(example.path), example.path, index) for index, example in enumerate(clips.examples)
    ]
    path = folder / f"features-{digest[:16]}.sqlite"
    _remove_damaged(path)
    with Ledger(path, decisive, recognizer.maker) as ledger:
        run_videos(
            tasks,
            work,
            codec=_FeaturesCodec(views),
            ledger=ledger,
            ignore_path=True,
            executor=ThreadExecutor(workers),
            observer=observer,
            on_done=take,
            on_failure=fail,
        )
    if not found:
        raise VideoError(f"none of {len(tasks)} videos could be read; the first: {next(iter(failures.values()))}")
    order = sorted(found)
    keys = tuple(clips.examples[index].key for index in order)
    return HeadFeatures(keys, np.stack([found[index] for index in order]), clips.targets[order], failures)


def _remove_damaged(path: Path) -> None:
    """Remove a file of features that is damaged, such as on a full disk: they are computed again."""
    if not path.exists():
        return
    try:
        with closing(sqlite3.connect(path)) as database:
            if database.execute("PRAGMA quick_check(1)").fetchone() == ("ok",):
                return
    except sqlite3.OperationalError:
        # Not damaged, but in use or not to be read: who opens it says so.
        return
    except sqlite3.DatabaseError:
        pass
    for name in (path, *(path.with_name(f"{path.name}-{suffix}") for suffix in ("journal", "wal", "shm"))):
        name.unlink(missing_ok=True)

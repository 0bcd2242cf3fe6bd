"""Sets of videos that cost nothing to measure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quovadis.fvd import FVDOptions, SetVideo, Statistics, list_videos, load_set, set_statistics
from quovadis.fvd.set_sources import Measure
from quovadis.video import Video, VideoSource
from support.fake_engine import CornerEngine, recognizer

Videos = NDArray[np.uint8]
"""RGB, shape videos, frames, height, width, 3."""

LOGITS = 5


def noise_videos(count: int, frames: int = 18, seed: int = 0, size: tuple[int, int] = (6, 8)) -> Videos:
    """Videos whose colours differ from one to the next and over time."""
    generator = np.random.default_rng(seed)
    base = generator.integers(40, 216, (count, frames, 1, 1, 3))
    return (base + generator.integers(-40, 40, (count, frames, *size, 3))).astype(np.uint8)


def saved(path: Path, array: NDArray[np.generic]) -> str:
    """Write an array and return its name as a user gives it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)
    return str(path)


def members_of(source: str | Path) -> list[SetVideo]:
    members = list_videos(str(source))
    assert isinstance(members, list)
    return members


def measured(
    source: str | Path, options: FVDOptions | None = None, *, most_videos: int | None = None, **more: object
) -> Statistics:
    """Run the fake network over a set."""
    return set_statistics(
        recognizer(CornerEngine()),
        str(source),
        members_of(source)[:most_videos],
        options or FVDOptions(),
        **more,  # type: ignore[arg-type]
    )


class SlowSource:
    """A source that is not opened before another one has been read."""

    def __init__(self, source: VideoSource, *, wait_for: Event | None = None, tell: Event | None = None) -> None:
        self.name = source.name
        self._source = source
        self._wait_for = wait_for
        self._tell = tell

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def open(self, **options: Any) -> Any:
        if self._wait_for is not None:
            assert self._wait_for.wait(20)
        video = self._source.open(**options)
        return video if self._tell is None else _TellingVideo(video, self._tell)


class _TellingVideo:
    def __init__(self, video: Video, tell: Event) -> None:
        self._video = video
        self._tell = tell

    def __getattr__(self, name: str) -> Any:
        return getattr(self._video, name)

    def __enter__(self) -> Video:
        return self._video

    def __exit__(self, *exception: object) -> None:
        self._video.__exit__(*exception)
        self._tell.set()


def side_statistics(sources: Sequence[str], measure: Measure, **options: Any) -> Statistics:
    """Look sources through, and measure them at once."""
    return load_set(sources, **options).statistics(measure)

"""Runs of `extract_features` with a network that is quick, and what each gave."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from quovadis.features import FeatureOptions
from quovadis.features.extract import Extracted, extract_features
from quovadis.inference.feature_options import like_video_features
from quovadis.video import Sampling, SlidingWindows
from support.fake_engine import MeanEngine, recognizer

WINDOWS = FeatureOptions(sampling=Sampling(clips=SlidingWindows(clip_frames=10)))
STACKS = like_video_features(10, 10)
VIDEOS = {"one.mp4": 30, "a/clip.mp4": 41, "b/clip.mp4": 55, "two.avi": 21}
"""Frames of each: 3, 4, 5 and 2 full windows of 10, and as many stacks of 10 but for the first."""


class Run(NamedTuple):
    """What one run gave."""

    done: list[Extracted]
    failures: int
    told: list[tuple[str, str]]
    """Sources that failed, and what was said of them."""
    engine: MeanEngine


def run(
    sources: Sequence[str],
    folder: Path,
    options: FeatureOptions = WINDOWS,
    form: str = "npy",
    engine: MeanEngine | None = None,
    **arguments: object,
) -> Run:
    engine = engine or MeanEngine()
    told: list[tuple[str, str]] = []
    made = extract_features(
        recognizer(engine),
        sources,
        folder,
        options,
        form,  # type: ignore[arg-type]
        on_failure=lambda source, error: told.append((source, str(error))),
        **arguments,  # type: ignore[arg-type]
    )
    return Run(list(made.videos), made.failures, told, engine)


def files(folder: Path) -> dict[str, bytes]:
    """Everything in a folder that is not hidden."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}


class Observer:
    """Someone who watches, and may press Ctrl-C after some videos."""

    def __init__(self, interrupt_after: int = -1) -> None:
        self.left = interrupt_after
        self.advanced = 0
        self.parts: dict[str, list[float]] = {}
        """How far each video was said to have come, by its path."""

    def start(self, total: int, done: int) -> None:
        self.total, self.done = total, done

    def reach(self, video: str, part: float) -> None:
        self.parts.setdefault(video, []).append(part)

    def advance(self, note: str) -> None:
        self.advanced += 1
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt

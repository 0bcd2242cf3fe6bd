"""Classification of many videos, going on where an earlier run stopped where that is wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

from quovadis.errors import QuovadisError
from quovadis.recognizer import Recognizer
from quovadis.results import ClipPrediction, VideoPrediction
from quovadis.results.codec import VideoPredictionCodec
from quovadis.runs.executor import ThreadExecutor, VideoObserver
from quovadis.runs.ledger import Ledger
from quovadis.runs.tasks import DoneVideo, VideoTask
from quovadis.runs.videos import VideoWatch, run_videos
from quovadis.video import Sampling, VideoLimits
from quovadis.video.keys import video_key, video_path
from quovadis.video.source import public_name, short_name


class ClipObserver(Protocol):
    """Something that shows how far the video at hand has come."""

    def expect(self, clips: int | None) -> None:
        """Take how many clips there will be; None: not known."""
        ...

    def advance(self) -> None:
        """Take one clip as done."""
        ...


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How a run over many videos goes; its results do not depend on it."""

    workers: int = 1
    """Videos processed at once, 1 or more."""
    resume: Path | None = None
    """File in which what is done is kept, and found again; None: nothing is kept."""
    restart: bool = False
    """Start over, whatever that file has."""
    fail_fast: bool = False
    """Stop at the first video that fails."""


def classify_sources(
    recognizer: Recognizer,
    sources: Sequence[str],
    *,
    sampling: Sampling,
    limits: VideoLimits,
    allow_partial: bool,
    options: RunOptions = RunOptions(),
    observe: Callable[[str], AbstractContextManager[ClipObserver]] | None = None,
    observer: VideoObserver | None = None,
    on_result: Callable[[VideoPrediction], None],
    on_failure: Callable[[str, QuovadisError], None],
    on_stop: Callable[[Sequence[str]], None] | None = None,
) -> int:
    """Classify videos, and return how many failed.

    Results and failures come in the order of the videos, however many are processed at once.

    Args:
        recognizer: the network.
        sources: files, folders of images, addresses, cameras.
        sampling: which frames become clips.
        limits: the most pixels, frames and seconds to accept.
        allow_partial: classify what is there of a damaged or cut-off video; without it such results of an earlier run
            do not count.
        options: how the run goes.
        observe: given a title, makes the observer of one video.
        observer: told how far the run has come.
        on_result: called with each result, those of earlier runs too.
        on_failure: called with each source that failed, and why: also where that is an unexpected exception.
        on_stop: called with all videos if the run ends before its end, by Ctrl-C or an error that the next video would
            meet too.

    Raises:
        OutputError: the file to resume from is damaged, of other settings, in use, or cannot be written.
        EngineError: the device failed.
    """

    def work(task: VideoTask[str], watch: VideoWatch) -> VideoPrediction:
        done, expected = 0, None

        def start(clips: int | None) -> None:
            nonlocal expected
            expected = clips
            if shown is not None:
                shown.expect(clips)

        def advance(_: ClipPrediction) -> None:
            nonlocal done
            done += 1
            watch.reach(done, expected)
            if shown is not None:
                shown.advance()

        with nullcontext() if observe is None else observe(task.payload) as shown:
            return recognizer.classify(
                task.name, sampling, limits=limits, allow_partial=allow_partial, on_start=start, on_clip=advance
            )

    def take(video: DoneVideo[str, VideoPrediction]) -> None:
        # The same video may have been given in another way.
        on_result(replace(video.result, source=public_name(video.task.name)))

    ledger = None
    with ExitStack() as stack:
        if options.resume is not None:
            # Everything that decides what is said of a video.
            settings = {"clip": type(sampling.clips).__name__, **asdict(sampling), **recognizer.result_settings}
            ledger = Ledger(options.resume, settings, recognizer.maker, restart=options.restart, is_named=True)
            stack.enter_context(ledger)
        try:
            outcome = run_videos(
                _tasks(sources),
                work,
                codec=VideoPredictionCodec(recognizer.weights, recognizer.labels, allow_partial),
                ledger=ledger,
                executor=ThreadExecutor(options.workers),
                ordered=True,
                fail_fast=options.fail_fast,
                observer=observer,
                on_done=take,
                on_failure=lambda task, error: on_failure(public_name(task.name), error),
            )
        except BaseException:
            if on_stop is not None:
                on_stop([public_name(source) for source in sources])
            raise
    return outcome.failures


def _tasks(sources: Sequence[str]) -> list[VideoTask[str]]:
    """Return the videos, each with the title under which it is shown."""
    tasks = []
    for number, source in enumerate(sources, start=1):
        name = short_name(source)
        title = name if len(sources) == 1 else f"[{number}/{len(sources)}] {name}"
        # Of a camera nothing is kept: it does not show the same again.
        path = None if source.startswith("camera:") else video_path(source)
        tasks.append(VideoTask(video_key(source), source, path, title))
    return tasks

"""The evaluation itself: every video through the network once, whatever interrupts it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from quovadis.datasets import Dataset, Example, example_source
from quovadis.errors import ArchitectureError, OutputError, UnexpectedError, VideoError
from quovadis.escape import shortened
from quovadis.evaluation.predictions import Failure, PartialVideo, Predictions
from quovadis.evaluation.protocols import EvaluationProtocol
from quovadis.evaluation.video_views import VideoViews, VideoViewsCodec
from quovadis.fields import MAX_WORKERS, check_path, check_value, check_values
from quovadis.recognizer import Recognizer, with_makers
from quovadis.results import softmax
from quovadis.runs.executor import ThreadExecutor, VideoObserver
from quovadis.runs.ledger import Ledger
from quovadis.runs.tasks import DoneVideo, VideoTask
from quovadis.runs.videos import VideoWatch, run_videos
from quovadis.version import __version__
from quovadis.video import SourceReader, VideoLimits

LEDGER_NAME = "evaluation.sqlite"
"""In the folder of the results: what is done."""


@dataclass(frozen=True)
class RunRecord:
    """How one run went; it is no part of the result, which is the same whatever the run."""

    seconds: float
    """Of this run, loading of weights not counted."""
    videos: int
    """Evaluated in this run."""
    views: int
    """Clips, crops or whole videos that the network ran on."""
    earlier: int
    """Videos done by earlier runs."""
    workers: int


def run_evaluation(
    recognizer: Recognizer,
    dataset: Dataset,
    protocol: EvaluationProtocol,
    ledger: str | os.PathLike[str],
    *,
    restart: bool = False,
    workers: int = 2,
    limits: VideoLimits | None = None,
    allow_partial: bool = False,
    observer: VideoObserver | None = None,
    on_failure: Callable[[Failure], None] | None = None,
    on_partial: Callable[[PartialVideo], None] | None = None,
    on_fault: Callable[[UnexpectedError], None] | None = None,
) -> tuple[Predictions, RunRecord]:
    """Run the network over a dataset, going on where an earlier run stopped.

    Every video is recorded as soon as it is done. The result does not depend on how often the run was interrupted, nor
    on the number of workers.

    Args:
        recognizer: the network.
        dataset: labelled videos.
        protocol: how to look at a video.
        ledger: file that records what is done.
        restart: forget what an earlier run has done.
        workers: videos processed at once, 1 or more.
        limits: the most pixels, frames and seconds to accept.
        allow_partial: evaluate what is there of a damaged or cut-off video, in place of counting it as unreadable.
        observer: told how far the run has come.
        on_failure: called with each example that cannot be evaluated.
        on_partial: called with each video that this run evaluates by what is there of it, or that has another note.
        on_fault: called in place of `on_failure` where a video raised an unexpected exception.

    Raises:
        OutputError: the ledger cannot be written, is damaged, or is of other settings.
        EngineError: the device failed.
        ArchitectureError: an argument of another type.
    """
    check_value("recognizer", recognizer, Recognizer, ArchitectureError)
    check_value("dataset", dataset, Dataset, ArchitectureError)
    if isinstance(protocol, str | None):
        raise ArchitectureError(f"protocol must be what make_protocol returns, not {shortened(protocol)}")
    path = check_path("ledger", ledger, OutputError)
    workers = check_value("workers", workers, int, ArchitectureError, at_least=1, at_most=MAX_WORKERS)
    check_value("limits", limits, VideoLimits | None, ArchitectureError)
    check_values(bool, ArchitectureError, restart=restart, allow_partial=allow_partial)
    started = time.monotonic()
    examples = _in_order(dataset, protocol)
    model = {"weights": recognizer.weights.name, **recognizer.result_settings}
    settings = {**protocol.settings, **model, "allow_partial": allow_partial}
    done: dict[str, VideoViews] = {}
    failures = {e.key: Failure(e.key, "", e.label, "missing", e.why_missing) for e in dataset.missing}
    correct = views = 0

    def work(task: VideoTask[Example], watch: VideoWatch) -> VideoViews:
        source = example_source(Path(task.name), task.payload.frames)
        reader = SourceReader(source, limits, allow_partial=allow_partial, check=watch.check)
        return _video_views(recognizer, protocol, reader)

    def begin(_: Sequence[VideoTask[Example]]) -> None:
        if on_failure is not None:
            for failure in failures.values():
                on_failure(failure)

    def take(video: DoneVideo[Example, VideoViews]) -> None:
        nonlocal correct, views
        example, result = video.task.payload, video.result
        done[example.key] = result
        correct += _is_correct(result, example.label)
        if not video.is_earlier:
            views += len(result.views)
            if (result.incomplete or result.notes) and on_partial is not None:
                on_partial(_partial(example, Path(video.task.name), result))

    def fail(task: VideoTask[Example], error: VideoError) -> None:
        example = task.payload
        failure = failures[example.key] = Failure(example.key, task.name, example.label, "unreadable", str(error))
        if isinstance(error, UnexpectedError) and on_fault is not None:
            on_fault(error)
        elif on_failure is not None:
            on_failure(failure)

    with Ledger(path, settings, recognizer.maker, restart=restart) as record:
        outcome = run_videos(
            [VideoTask(example.key, str(path), path, example) for example, path in examples],
            work,
            codec=VideoViewsCodec(len(recognizer.labels)),
            ledger=record,
            # By its key it is the same example, wherever the dataset has been moved.
            ignore_path=True,
            executor=ThreadExecutor(workers),
            observer=observer,
            note=lambda: f"top-1 {100 * correct / len(done):.1f} %" if done else "",
            on_start=begin,
            on_done=take,
            on_failure=fail,
        )
        makers = record.makers(done) or [recognizer.maker]
    # In the order of reports: an engine describes itself as a whole.
    told = {**protocol.settings, "weights": recognizer.weights.name, "weights_sha256": recognizer.weights.sha256}
    told |= {**recognizer.engine.description, "quovadis": __version__, "allow_partial": allow_partial}
    predictions = _predictions(recognizer, dataset, with_makers(told, makers), examples, done, failures)
    new = outcome.done - outcome.earlier
    return predictions, RunRecord(time.monotonic() - started, new, views, outcome.earlier, workers)


def _in_order(dataset: Dataset, protocol: EvaluationProtocol) -> list[tuple[Example, Path]]:
    examples = [(example, example.path) for example in dataset.examples if example.path is not None]
    if protocol.in_order_of_keys:
        # The accuracy checker sorts by the last part of `label/key`.
        examples.sort(key=lambda item: item[0].key.rpartition("/")[2])
    return examples


def _video_views(recognizer: Recognizer, protocol: EvaluationProtocol, video: SourceReader) -> VideoViews:
    views = sorted(protocol.views(video, recognizer.engine), key=lambda view: (view.clip, view.crop))
    return VideoViews(video.frames, tuple(views), video.incomplete, video.notes)


def _partial(example: Example, path: Path, video: VideoViews) -> PartialVideo:
    return PartialVideo(example.key, str(path), video.notes)


def _is_correct(video: VideoViews, label: int) -> bool:
    probabilities = softmax(np.stack([view.logits for view in video.views]))
    return int(probabilities.mean(axis=0).argmax()) == label


def _predictions(
    recognizer: Recognizer,
    dataset: Dataset,
    settings: Mapping[str, Any],
    examples: Sequence[tuple[Example, Path]],
    done: Mapping[str, VideoViews],
    failures: Mapping[str, Failure],
) -> Predictions:
    kept = [(example, path, done[example.key]) for example, path in examples if example.key in done]
    views = [(number, view) for number, (_, _, video) in enumerate(kept) for view in video.views]
    logits = [view.logits for _, view in views]
    return Predictions(
        settings=settings,
        dataset={"source": str(dataset.source), "format": dataset.format, "examples": len(dataset.examples)},
        labels=recognizer.labels,
        keys=tuple(example.key for example, _, _ in kept),
        paths=tuple(str(path) for _, path, _ in kept),
        truth=np.array([example.label for example, _, _ in kept], np.int64),
        frames=np.array([video.frames for _, _, video in kept], np.int64),
        video=np.array([number for number, _ in views], np.int64),
        clip=np.array([view.clip for _, view in views], np.int64),
        crop=np.array([view.crop for _, view in views], np.int64),
        start_frame=np.array([view.start_frame for _, view in views], np.int64),
        logits=np.stack(logits) if logits else np.empty((0, len(recognizer.labels)), np.float32),
        failures=tuple(failures[example.key] for example in dataset.examples if example.key in failures),
        incomplete=tuple(_partial(example, path, video) for example, path, video in kept if video.incomplete),
    )

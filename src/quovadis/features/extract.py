"""Features of many videos, going on where an earlier run stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quovadis.durable import output_error
from quovadis.errors import VideoError
from quovadis.features.formats import FeatureFormat, FeatureWriter, Provenance, feature_writer
from quovadis.features.output_index import OutputEntry, OutputIndex
from quovadis.inference.feature_options import FeatureOptions
from quovadis.inference.feature_rows import FeatureStream, frame_rate, looped_note, open_rows
from quovadis.recognizer import Recognizer
from quovadis.runs.executor import ThreadExecutor, VideoObserver
from quovadis.runs.ledger import Ledger
from quovadis.runs.tasks import DoneVideo, VideoTask
from quovadis.runs.videos import VideoWatch, run_videos
from quovadis.version import __version__
from quovadis.video import VideoLimits
from quovadis.video.source import public_name

LEDGER_NAME = ".quovadis-features.sqlite"
"""Beside the features: which videos are done, with what settings, and what their files are called."""


@dataclass(frozen=True)
class Extracted:
    """The features of one video, on disk."""

    source: str
    files: tuple[str, ...]
    """Names in the output folder."""
    shape: tuple[int, ...]
    """Of the features, the number of windows first."""
    notes: tuple[str, ...] = ()
    """Plain sentences on what was unusual."""
    incomplete: bool = False
    """Whether a part of the video could not be read."""


@dataclass(frozen=True)
class Extraction:
    """What a run over many videos gave."""

    videos: tuple[Extracted, ...]
    """All that have features, those of earlier runs too, in the order in which they were given."""
    failures: int
    """How many have none."""


def feature_settings(recognizer: Recognizer, options: FeatureOptions, file_format: FeatureFormat) -> dict[str, Any]:
    """Return everything that decides what the files hold, by name, in JSON's types."""
    return {**options.settings(), "format": file_format, **recognizer.result_settings}


def extract_features(
    recognizer: Recognizer,
    sources: Sequence[str],
    folder: Path,
    options: FeatureOptions,
    file_format: FeatureFormat,
    *,
    restart: bool = False,
    workers: int = 2,
    limits: VideoLimits | None = None,
    allow_partial: bool = False,
    observer: VideoObserver | None = None,
    on_done: Callable[[Extracted], None] | None = None,
    on_failure: Callable[[str, VideoError], None] | None = None,
) -> Extraction:
    """Extract features of videos into files, leaving out what an earlier run has done.

    Files appear whole under their names, and only of videos with at least one window.

    Args:
        recognizer: the network.
        sources: files, folders of images, or addresses.
        folder: where the files go; made if it is not there.
        options: which features.
        file_format: how they are written.
        restart: extract everything again, and overwrite whatever has the name of a file.
        workers: videos processed at once, 1 or more.
        limits: the most pixels, frames and seconds to accept.
        allow_partial: take what is there of a damaged or cut-off video; without it such features of an earlier run do
            not count.
        observer: told how far the run has come.
        on_done: called with each video as it is done.
        on_failure: called with each video that has no features, and why; those of an earlier run stay, and are named.

    Raises:
        OutputError: the folder cannot be written, or holds features of other settings or files of others.
        MissingDependencyError: the format needs a package that is not installed.
        EngineError: the device failed.
    """
    # Whether the format can be written is known now, not after the first video.
    feature_writer(file_format, folder, "check")
    settings = feature_settings(recognizer, options, file_format)
    done: dict[str, Extracted] = {}
    with Ledger(folder / LEDGER_NAME, settings, recognizer.maker, restart=restart) as ledger:
        index = OutputIndex(ledger, folder, file_format, allow_partial=allow_partial)
        tasks = index.tasks(sources)

        def work(task: VideoTask[str], watch: VideoWatch) -> OutputEntry:
            # A file says what made it, beside what decides what is in it.
            made_by = {**settings, **recognizer.engine.description, "quovadis": __version__}
            provenance = Provenance(task.key, public_name(task.name), made_by)
            writer = feature_writer(file_format, folder, task.payload, options.axis_labels(), provenance)
            with open_rows(recognizer.engine, task.name, options, limits=limits, allow_partial=allow_partial) as rows:
                # What an earlier run has is forgotten only once there is something to put in its place.
                shape, notes = _write(task.name, rows, options, writer, folder, watch, ledger.replace_older)
                return index.entry(task, shape, notes, incomplete=rows.video.report.incomplete)

        def take(video: DoneVideo[str, OutputEntry]) -> None:
            entry = video.result
            index.finish(video.task, entry)
            made = Extracted(
                public_name(video.task.name), tuple(entry.files), entry.shape, entry.notes, entry.incomplete
            )
            done[video.task.key] = made
            if on_done is not None and not video.is_earlier:
                on_done(made)

        def fail(task: VideoTask[str], error: VideoError) -> None:
            told = index.fail(task, error)
            if on_failure is not None:
                on_failure(task.name, told)

        outcome = run_videos(
            tasks,
            work,
            codec=index,
            ledger=ledger,
            executor=ThreadExecutor(workers),
            observer=observer,
            on_start=lambda waiting: index.begin(waiting, overwrite=restart),
            on_done=take,
            on_failure=fail,
        )
    return Extraction(tuple(done[task.key] for task in tasks if task.key in done), outcome.failures)


def _write(
    source: str,
    stream: FeatureStream,
    options: FeatureOptions,
    writer: FeatureWriter,
    folder: Path,
    watch: VideoWatch,
    before_publishing: Callable[[], None],
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Write the features of a video, and return their shape and notes.

    `before_publishing` is called before the files get their names.
    """
    rows, shape, looped = 0, (), False
    try:
        if stream.video.live:
            raise VideoError(f"{source}: a live source has no end; use classify, or record it first")
        for row in stream:
            watch.reach(rows, stream.expected)
            with _writing(folder, source):
                writer.append(row)
            rows, shape, looped = rows + 1, row.values.shape, row.looped
        before_publishing()
        with _writing(folder, source):
            writer.finish(frame_rate(stream.video, options))
        notes = (looped_note(rows, options),) if looped else ()
        return (rows, *shape), (*stream.video.report.notes, *notes)
    finally:
        with _writing(folder, source):
            writer.abandon()


@contextmanager
def _writing(folder: Path, source: str) -> Iterator[None]:
    """Tell errors of the disk, which the next video would meet too, from errors of the video."""
    try:
        yield
    except OSError as error:
        raise output_error(folder, error, f"cannot write the features of {source}") from error

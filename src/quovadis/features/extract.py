"""Features of many videos, going on where an earlier run stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

from quovadis.errors import OutputError, VideoError
from quovadis.features.formats import FeatureFormat, Provenance, feature_writer
from quovadis.features.output_index import Job, OutputEntry, OutputIndex
from quovadis.inference.feature_options import FeatureOptions
from quovadis.inference.feature_rows import frame_rate, looped_note, open_rows
from quovadis.recognizer import Recognizer
from quovadis.runs.executor import Cancelled, VideoPartObserver, map_unordered
from quovadis.runs.ledger import Ledger
from quovadis.version import __version__
from quovadis.video import VideoLimits

LEDGER_NAME = ".quovadis-features.sqlite"
"""Beside the features: which videos are done, with what settings, and what their files are called."""
_LARGEST_PART = 0.99
"""Of a video in flight: how many rows there will be is an estimate, and what is written is not yet complete."""


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
    partial: bool = False
    """Whether a part of the video could not be read."""


@dataclass(frozen=True)
class Extraction:
    """What a run over many videos gave."""

    videos: tuple[Extracted, ...]
    """All that have features, those of earlier runs too, in the order in which they were given."""
    failures: int
    """How many have none."""


class _Rows(NamedTuple):
    """What was written of a video."""

    shape: tuple[int, ...]
    notes: tuple[str, ...]
    partial: bool


def feature_settings(recognizer: Recognizer, options: FeatureOptions, form: FeatureFormat) -> dict[str, Any]:
    """Return everything that the files depend on, by name, in JSON's types."""
    return {
        **options.settings(),
        "format": form,
        "weights_sha256": recognizer.weights.sha256,
        **recognizer.engine.description,
        "quovadis": __version__,
    }


def extract_features(
    recognizer: Recognizer,
    sources: Sequence[str],
    folder: Path,
    options: FeatureOptions,
    form: FeatureFormat,
    *,
    restart: bool = False,
    workers: int = 2,
    limits: VideoLimits | None = None,
    allow_partial: bool = False,
    observer: VideoPartObserver | None = None,
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
        form: how they are written.
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
    feature_writer(form, folder, "check")
    with Ledger(folder / LEDGER_NAME, feature_settings(recognizer, options, form), restart=restart) as ledger:
        record = OutputIndex(ledger, folder, form)
        jobs = record.jobs(sources)
        entries = {job.key: record.done(job, partial=allow_partial) for job in jobs}
        done = {job.key: _extracted(job, entry) for job in jobs if (entry := entries[job.key]) is not None}
        waiting = [job for job in jobs if job.key not in done]
        record.begin(waiting, overwrite=restart)
        if observer is not None:
            observer.start(len(jobs), len(done))

        def make(job: Job, stop: Event) -> _Rows:
            def on_row(part: float) -> None:
                if stop.is_set():
                    raise Cancelled
                if observer is not None:
                    observer.reach(job.key, part)

            # What an earlier run has is forgotten only once there is something to put in its place.
            before = ledger.replace_older
            return _extract(recognizer, job, folder, options, form, limits, allow_partial, on_row, before)

        failures = 0
        for job, result, error in map_unordered(make, waiting, workers, name=lambda job: job.source):
            if result is not None:
                done[job.key] = _extracted(job, record.finish(job, *result[:2], partial=result.partial))
                if on_done is not None:
                    on_done(done[job.key])
            elif error is not None:
                failures += 1
                told = record.fail(job, error)
                if on_failure is not None:
                    on_failure(job.source, told)
            if observer is not None:
                observer.reach(job.key, 1.0)
                observer.advance("")
    return Extraction(tuple(done[job.key] for job in jobs if job.key in done), failures)


def _extracted(job: Job, entry: OutputEntry) -> Extracted:
    return Extracted(job.source, tuple(entry.files), entry.shape, entry.notes, entry.partial)


def _extract(
    recognizer: Recognizer,
    job: Job,
    folder: Path,
    options: FeatureOptions,
    form: FeatureFormat,
    limits: VideoLimits | None,
    allow_partial: bool,
    on_row: Callable[[float], None],
    before_publishing: Callable[[], None],
) -> _Rows:
    """Write the features of a video.

    `on_row` is called before each row with the part of the video that is done, as far as it is known;
    `before_publishing` is called before the files get their names.
    """
    provenance = Provenance(job.key, job.source, feature_settings(recognizer, options, form))
    writer = feature_writer(form, folder, job.name, options.axis_labels(), provenance)
    rows, shape, looped = 0, (), False
    try:
        with open_rows(recognizer.engine, job.source, options, limits=limits, allow_partial=allow_partial) as stream:
            if stream.video.live:
                raise VideoError(f"{job.source}: a live source has no end; use classify, or record it first")
            for row in stream:
                on_row(min(rows / stream.expected, _LARGEST_PART) if stream.expected else 0.0)
                with _writing(folder, job.source):
                    writer.append(row)
                rows, shape, looped = rows + 1, row.values.shape, row.looped
            before_publishing()
            with _writing(folder, job.source):
                writer.finish(frame_rate(stream.video, options))
            notes = (looped_note(rows, options),) if looped else ()
            return _Rows((rows, *shape), (*stream.video.report.notes, *notes), stream.video.report.partial)
    finally:
        with _writing(folder, job.source):
            writer.abandon()


@contextmanager
def _writing(folder: Path, source: str) -> Iterator[None]:
    """Tell errors of the disk, which the next video would meet too, from errors of the video."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"{folder}: cannot write the features of {source}: {error.strerror or error}") from error

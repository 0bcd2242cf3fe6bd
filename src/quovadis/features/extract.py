"""Features of many videos, going on where an earlier run stopped."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

from quovadis.errors import OutputError, VideoError
from quovadis.features.formats import FeatureFormat, feature_writer
from quovadis.features.names import output_names
from quovadis.features.options import FeatureOptions
from quovadis.features.rows import frame_rate, looped_note, open_rows
from quovadis.ledger import Ledger
from quovadis.recognizer import Recognizer
from quovadis.version import __version__
from quovadis.video import VideoLimits
from quovadis.video.source import is_address, local_path
from quovadis.workers import Stopped, VideoObserver, each_done

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


class _Job(NamedTuple):
    source: str
    key: str
    name: str
    path: Path


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
    observer: VideoObserver | None = None,
    on_done: Callable[[Extracted], None] | None = None,
    on_failure: Callable[[str, VideoError], None] | None = None,
) -> tuple[list[Extracted], int]:
    """Extract features of videos into files, leaving out what an earlier run has done.

    Files appear whole under their names, and only of videos with at least one window.

    Args:
        recognizer: the network.
        sources: files, folders of images, or addresses.
        folder: where the files go; made if it is not there.
        options: which features.
        form: how they are written.
        restart: extract everything anew.
        workers: videos in work at once, 1 or more.
        limits: the most pixels, frames and seconds to accept.
        allow_partial: take what is there of a damaged or cut-off video.
        observer: told how far the run has come.
        on_done: called with each video as it is done.
        on_failure: called with each video that has no features, and why.

    Returns:
        All videos that have features, those of earlier runs too, in the order of `sources`; how many have none.

    Raises:
        OutputError: the folder cannot be written, or holds features of other settings.
        MissingDependencyError: the format needs a package that is not installed.
        EngineError: the device failed.
    """
    # Whether the format can be written is known now, not after the first video.
    feature_writer(form, folder, "check")
    keys = list(dict.fromkeys(_key(source) for source in sources))
    by_key = {_key(source): source for source in reversed(sources)}
    done: dict[str, Extracted] = {}
    failures = 0
    with Ledger(folder / LEDGER_NAME, feature_settings(recognizer, options, form), restart=restart) as ledger:
        names = _names(ledger, keys)
        jobs = []
        for key in keys:
            job = _Job(by_key[key], key, names[key], local_path(by_key[key]))
            known = _known(ledger, job, folder)
            if known is None:
                jobs.append(job)
            else:
                done[key] = known
        if observer is not None:
            observer.start(len(keys), len(done))

        def make(job: _Job, stop: Event) -> Extracted:
            return _extract(recognizer, job, folder, options, form, limits, allow_partial, stop)

        for job, result, error in each_done(make, jobs, workers):
            if result is not None:
                ledger.store(job.key, job.path, _to_bytes(job.name, result))
                done[job.key] = result
                if on_done is not None:
                    on_done(result)
            elif error is not None:
                failures += 1
                if on_failure is not None:
                    on_failure(job.source, error)
            if observer is not None:
                observer.advance("")
    return [done[key] for key in keys if key in done], failures


def _extract(
    recognizer: Recognizer,
    job: _Job,
    folder: Path,
    options: FeatureOptions,
    form: FeatureFormat,
    limits: VideoLimits | None,
    allow_partial: bool,
    stop: Event,
) -> Extracted:
    writer = feature_writer(form, folder, job.name)
    rows, shape, looped = 0, (), False
    try:
        with open_rows(recognizer.engine, job.source, options, limits=limits, allow_partial=allow_partial) as stream:
            if stream.live:
                raise VideoError(f"{job.source}: a live source has no end; use classify, or record it first")
            for row in stream:
                if stop.is_set():
                    raise Stopped
                writer.append(row)
                rows, shape, looped = rows + 1, row.values.shape, row.looped
            files = writer.finish(frame_rate(stream, options))
            notes = (looped_note(rows, options),) if looped else ()
            return Extracted(job.source, tuple(files), (rows, *shape), (*stream.report.notes, *notes))
    except OSError as error:
        raise OutputError(f"{folder}: cannot write the features of {job.source}: {error.strerror or error}") from error
    finally:
        writer.abandon()


def _key(source: str) -> str:
    place = source if is_address(source) else str(local_path(source).absolute())
    return place.encode("utf-8", "backslashreplace").decode()


def _names(ledger: Ledger, keys: Sequence[str]) -> dict[str, str]:
    """Return each video's name: the one that it had in an earlier run, else one that no other video has."""
    known = {key: json.loads(result)["name"] for key, result in ledger.results()}
    new = [key for key in keys if key not in known]
    return known | dict(zip(new, output_names(new, known), strict=True))


def _known(ledger: Ledger, job: _Job, folder: Path) -> Extracted | None:
    stored = ledger.load(job.key, job.path)
    if stored is None:
        return None
    entry = json.loads(stored)
    if not all((folder / name).is_file() for name in entry["files"]):
        return None
    return Extracted(job.source, tuple(entry["files"]), tuple(entry["shape"]), tuple(entry["notes"]))


def _to_bytes(name: str, result: Extracted) -> bytes:
    entry = {"name": name, "files": result.files, "shape": result.shape, "notes": result.notes}
    return json.dumps(entry).encode()

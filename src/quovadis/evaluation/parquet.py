"""Predictions as a table of results, a row a view, with what evaluation knows besides."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from quovadis.durable import output_file
from quovadis.errors import DatasetError, OutputError
from quovadis.evaluation.predictions import Failure, PartialVideo, Predictions
from quovadis.fields import check_path
from quovadis.results.table import ResultRow, ResultTable, TableWriter, engine_text, read_table

_OWN = {
    "label_index": "int32",
    "label": "string",
    "frames": "int64",
    "start_frame": "int64",
    "predicted_index": "int32",
    "predicted": "string",
    "rank": "int32",
    "probability": "float",
}
_EXPECTED = "predictions that quovadis evaluate wrote"


def write_predictions(predictions: Predictions, path: str | os.PathLike[str]) -> None:
    """Write predictions, whole or not at all; the same predictions make the same bytes.

    Columns of its own: `label_index`, `label` and `frames` of the video; `start_frame`, `predicted_index`, `predicted`,
    `rank` (of the true class, 0 the first) and `probability` (of the true class) of the view. The file's metadata hold
    the dataset, what could not be evaluated and which videos are incomplete.

    Raises:
        OutputError: the file cannot be written.
        MissingDependencyError: pyarrow is not installed.
    """
    path = check_path("path", path, OutputError)
    metadata = {
        "settings": dict(predictions.settings),
        "dataset": dict(predictions.dataset),
        "failures": [vars(failure) for failure in predictions.failures],
        "incomplete": [vars(video) for video in predictions.incomplete],
    }
    with output_file(path) as temporary:
        table = TableWriter(temporary, labels=predictions.labels, own=_OWN)
        try:
            for row in _rows(predictions):
                table.append([row])
            table.finish(metadata)
        finally:
            table.abandon()


def _rows(predictions: Predictions) -> Iterator[ResultRow]:
    settings, labels = predictions.settings, predictions.labels
    # With every video at its own rate, seconds are not known.
    rate = settings["fps"] if isinstance(settings.get("fps"), int | float) else None
    engine, sha256 = engine_text(settings), str(settings.get("weights_sha256", ""))
    best = predictions.probabilities.argmax(axis=1)
    for row, video in enumerate(predictions.video.tolist()):
        start, frames = int(predictions.start_frame[row]), int(predictions.frames[video])
        # A clip that goes on after the end of the video begins again there.
        end = min(start + int(settings.get("clip_frames", frames)), frames)
        truth = int(predictions.truth[video])
        yield ResultRow(
            key=predictions.keys[video],
            path=predictions.paths[video],
            start_seconds=None if rate is None else start / rate,
            end_seconds=None if rate is None else end / rate,
            clip=int(predictions.clip[row]),
            crop=int(predictions.crop[row]),
            logits=predictions.logits[row],
            weights_sha256=sha256,
            engine=engine,
            own={
                "label_index": truth,
                "label": labels[truth],
                "frames": frames,
                "start_frame": start,
                "predicted_index": int(best[row]),
                "predicted": labels[best[row]],
                "rank": int(predictions.view_ranks[row]),
                "probability": predictions.probabilities[row, truth],
            },
        )


def read_predictions(path: str | os.PathLike[str]) -> Predictions:
    """Read what `write_predictions` wrote.

    Raises:
        DatasetError: no such file, or another.
        MissingDependencyError: pyarrow is not installed.
    """
    path = check_path("path", path, DatasetError)
    table = read_table(path, expected=_EXPECTED)
    # Views of one video stand together.
    is_first = np.ones(len(table), bool)
    is_first[1:] = table.key[1:] != table.key[:-1]
    first = np.flatnonzero(is_first)
    try:
        numbers = {name: table.own[name].astype(np.int64) for name in ("label_index", "frames", "start_frame")}
        return Predictions(
            settings=table.settings,
            dataset=table.metadata["dataset"],
            labels=table.labels,
            keys=tuple(table.key[first]),
            paths=tuple(table.path[first]),
            truth=numbers["label_index"][first],
            frames=numbers["frames"][first],
            video=np.cumsum(is_first) - 1,
            clip=table.clip,
            crop=table.crop,
            start_frame=numbers["start_frame"],
            logits=_logits(table),
            failures=tuple(Failure(**failure) for failure in table.metadata["failures"]),
            incomplete=tuple(
                PartialVideo(video["key"], video["path"], tuple(video["notes"]))
                for video in table.metadata["incomplete"]
            ),
        )
    except (LookupError, ValueError, TypeError) as error:
        raise DatasetError(f"{path}: not {_EXPECTED} ({error})") from error


def _logits(table: ResultTable) -> NDArray[np.float32]:
    if table.logits is not None:
        return table.logits
    if len(table):
        raise ValueError("there are no logits")
    return np.empty((0, len(table.labels)), np.float32)

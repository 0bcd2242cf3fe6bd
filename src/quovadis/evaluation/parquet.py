"""Predictions as a Parquet file, a row a view, that any table software reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from quovadis.durable import atomic_write
from quovadis.errors import DatasetError, OutputError
from quovadis.escape import escaped
from quovadis.evaluation.predictions import Failure, PartialVideo, Predictions
from quovadis.extras import import_extra

_METADATA = b"quovadis"
_COLUMNS = ("key", "path", "label_index", "frames", "clip", "crop", "start_frame", "logits")


def check_parquet_dependency() -> None:
    """Refuse to promise a file that cannot be written.

    Raises:
        MissingDependencyError: pyarrow is not installed.
    """
    import_extra("pyarrow", "writing Parquet")


def write_predictions(predictions: Predictions, path: Path) -> None:
    """Write predictions, whole or not at all; the same predictions make the same bytes.

    Columns: `key`, `path`, `label_index`, `label`, `frames` of the video; `clip`, `crop`, `start_frame`, `logits`,
    `predicted_index`, `predicted`, `rank` (of the true class, 0 the first) and `probability` (of the true class) of the
    view. The file's metadata hold the settings, the class names, the dataset, what could not be evaluated and
    what was only in part.

    Raises:
        OutputError: the file cannot be written.
        MissingDependencyError: pyarrow is not installed.
    """
    arrow, parquet = _modules("writing Parquet")
    truth = predictions.truth[predictions.video]
    best = predictions.probabilities.argmax(axis=1)
    own = np.take_along_axis(predictions.probabilities, truth[:, np.newaxis], axis=1)[:, 0]
    names = np.array(predictions.labels, object)
    per_video = {
        "key": np.array([escaped(key) for key in predictions.keys], object),
        "path": np.array([escaped(place) for place in predictions.paths], object),
        "label_index": predictions.truth.astype(np.int32),
        "label": names[predictions.truth],
        "frames": predictions.frames,
    }
    columns: dict[str, Any] = {name: arrow.array(values[predictions.video]) for name, values in per_video.items()}
    columns |= {
        "clip": arrow.array(predictions.clip.astype(np.int32)),
        "crop": arrow.array(predictions.crop.astype(np.int32)),
        "start_frame": arrow.array(predictions.start_frame),
        "predicted_index": arrow.array(best.astype(np.int32)),
        "predicted": arrow.array(names[best]),
        "rank": arrow.array(predictions.view_ranks.astype(np.int32)),
        "probability": arrow.array(own),
        "logits": arrow.FixedSizeListArray.from_arrays(
            arrow.array(predictions.logits.reshape(-1)), len(predictions.labels)
        ),
    }
    metadata = {
        "settings": dict(predictions.settings),
        "dataset": dict(predictions.dataset),
        "labels": list(predictions.labels),
        "failures": [vars(failure) for failure in predictions.failures],
        "partial": [vars(video) for video in predictions.partial],
    }
    table = arrow.table(columns).replace_schema_metadata({_METADATA: json.dumps(metadata).encode()})
    try:
        with atomic_write(path) as temporary:
            parquet.write_table(table, temporary, compression="zstd")
    except OSError as error:
        raise OutputError(f"{path}: cannot write the predictions: {error.strerror or error}") from error


def read_predictions(path: Path) -> Predictions:
    """Read what `write_predictions` wrote.

    Raises:
        DatasetError: no such file, or another.
        MissingDependencyError: pyarrow is not installed.
    """
    arrow, parquet = _modules("reading Parquet")
    try:
        table = parquet.read_table(path)
        metadata = json.loads((table.schema.metadata or {})[_METADATA])
        values = {name: table.column(name).combine_chunks() for name in _COLUMNS}
        settings, dataset, labels = metadata["settings"], metadata["dataset"], tuple(metadata["labels"])
        logits = np.asarray(values["logits"].flatten(), np.float32).reshape(len(table), len(labels))
        failures = tuple(Failure(**failure) for failure in metadata["failures"])
        partial = tuple(
            PartialVideo(video["key"], video["path"], tuple(video["notes"])) for video in metadata.get("partial", [])
        )
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: no such file") from error
    except (OSError, arrow.ArrowException, KeyError, ValueError, TypeError) as error:
        raise DatasetError(f"{path}: not predictions that quovadis evaluate wrote ({error})") from error
    keys = values["key"].to_pylist()
    first = [place for place, key in enumerate(keys) if place == 0 or key != keys[place - 1]]
    starts = np.zeros(len(keys), np.int64)
    starts[first] = 1
    paths = values["path"].to_pylist()
    return Predictions(
        settings=settings,
        dataset=dataset,
        labels=labels,
        keys=tuple(keys[place] for place in first),
        paths=tuple(paths[place] for place in first),
        truth=np.asarray(values["label_index"], np.int64)[first],
        frames=np.asarray(values["frames"], np.int64)[first],
        video=np.cumsum(starts) - 1,
        clip=np.asarray(values["clip"], np.int64),
        crop=np.asarray(values["crop"], np.int64),
        start_frame=np.asarray(values["start_frame"], np.int64),
        logits=logits,
        failures=failures,
        partial=partial,
    )


def _modules(purpose: str) -> tuple[Any, Any]:
    return import_extra("pyarrow", purpose), import_extra("pyarrow.parquet", purpose)

"""The forms in which Kinetics itself is given out: DeepMind's CSV files, and the JSON that frame extractors use."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from quovadis.errors import DatasetError
from quovadis.evaluation.datasets.dataset import Annotation

CSV_COLUMNS = ("label", "youtube_id", "time_start", "time_end")
_VALIDATION = ("validation", "val", "validate")
"""What the validation part is called in one file or another."""


def read_kinetics_csv(path: Path, text: str, split: str | None) -> list[Annotation]:
    """Read DeepMind's CSV: `label,youtube_id,time_start,time_end,split`, in any order of columns.

    Videos are called `<youtube_id>_<start:06d>_<end:06d>`, in the folder itself or in one for each class.

    Args:
        path: for messages.
        text: the file's.
        split: which part to take; None: all.

    Raises:
        DatasetError: a line without one of the columns, or with times that are no numbers; no line of the split.
    """
    rows = csv.DictReader(text.splitlines())
    annotations = []
    for row in rows:
        if split is not None and not is_split(row.get("split") or "", split):
            continue
        values = [row.get(column) for column in CSV_COLUMNS]
        try:
            label, identifier, start, end = (str(value).strip() for value in values if value is not None)
            name = f"{identifier}_{int(float(start)):06d}_{int(float(end)):06d}"
        except ValueError as error:
            raise DatasetError(
                f"{path}: line {rows.line_num} is no {','.join(CSV_COLUMNS)}; "
                "a test list without labels cannot be evaluated"
            ) from error
        annotations.append(Annotation(name, label, (name, *(f"{folder}/{name}" for folder in label_folders(label)))))
    return _not_empty(annotations, path, split)


def read_kinetics_json(path: Path, text: str, split: str | None) -> list[Annotation]:
    """Read JSON with `labels` and `database: {key: {subset, annotations: {label}}}`.

    Videos or folders of frames are called `<label>/<key>`, or `<key>`.

    Args:
        path: for messages.
        text: the file's.
        split: which subset to take; None: validation if there is one, else all.

    Raises:
        DatasetError: the document has another form; no video of the split.
    """
    try:
        document = json.loads(text)
        entries = [_entry(key, value) for key, value in document["database"].items()]
        labels = {str(label) for label in document.get("labels", [])}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(
            f"{path}: not JSON of the form labels, database: key: subset, annotations: label ({error!r})"
        ) from error
    if split is None and any(is_split(subset, "validation") for subset, _ in entries):
        split = "validation"
    chosen = [annotation for subset, annotation in entries if split is None or is_split(subset, split)]
    strange = next((a.label for a in chosen if labels and a.label not in labels), None)
    if strange is not None:
        raise DatasetError(f'{path}: the label "{strange}" is not among its labels; mend the file')
    return _not_empty(chosen, path, split)


def is_split(written: str, split: str) -> bool:
    """Tell whether a dataset's name for a part means `split`; the validation part has several names."""
    written, split = written.strip().lower(), split.strip().lower()
    return written == split or (written in _VALIDATION and split in _VALIDATION)


def label_folders(label: str) -> Iterator[str]:
    """Yield the names that a class's folder may have."""
    yield label
    if " " in label:
        yield label.replace(" ", "_")


def _entry(key: str, value: Any) -> tuple[str, Annotation]:
    label = str(value["annotations"]["label"])
    paths = (*(f"{folder}/{key}" for folder in label_folders(label)), key)
    return str(value["subset"]), Annotation(key, label, paths)


def _not_empty(annotations: Sequence[Annotation], path: Path, split: str | None) -> list[Annotation]:
    if not annotations:
        part = "" if split is None else f' of the split "{split}"'
        raise DatasetError(f"{path}: no videos{part} in it")
    return list(annotations)

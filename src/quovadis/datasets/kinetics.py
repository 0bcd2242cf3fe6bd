"""The forms in which Kinetics itself is given out: DeepMind's CSV files, and the JSON that frame extractors use."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from quovadis.datasets.dataset import Annotation
from quovadis.errors import DatasetError
from quovadis.escape import parse_failure

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
    before, lines = _from_header(text)
    annotations = []
    try:
        rows = csv.DictReader(lines, skipinitialspace=True)
        rows.fieldnames = [_column(name) for name in rows.fieldnames or ()]
        for row in rows:
            line = before + rows.line_num
            if split is None or is_split(row.get("split") or "", split):
                annotations.append(_row(row, line, path))
    except csv.Error as error:
        # Of a line that cannot be read the reader has not counted anything.
        raise DatasetError(f"{path}: line {before + rows.line_num + 1} cannot be read ({error}); fix it") from error
    return _not_empty(annotations, path, split)


def is_kinetics_csv(text: str) -> bool:
    """Tell whether a file's header, after empty lines and comments, names the columns of Kinetics."""
    _, lines = _from_header(text)
    return bool(lines) and {*CSV_COLUMNS[1:]} <= {_column(name) for name in lines[0].split(",")}


def _from_header(text: str) -> tuple[int, list[str]]:
    """Return how many empty lines and comments come first, and the lines after them."""
    lines = text.splitlines()
    before = next((n for n, line in enumerate(lines) if line.strip() and not line.startswith("#")), len(lines))
    return before, lines[before:]


def _column(name: str) -> str:
    return name.strip().strip("\"'").lower()


def _row(row: Mapping[str, str | None], line: int, path: Path) -> Annotation:
    values = [row.get(column) for column in CSV_COLUMNS]
    try:
        label, identifier, start, end = (value.strip() for value in values if value is not None)
        name = f"{identifier}_{int(float(start)):06d}_{int(float(end)):06d}"
    except (ValueError, OverflowError) as error:
        raise DatasetError(
            f"{path}: line {line} is no {','.join(CSV_COLUMNS)} with times in seconds; fix it "
            "(a test list without labels cannot be evaluated)"
        ) from error
    return Annotation(name, label, (name, *(f"{folder}/{name}" for folder in label_folders(label))), line)


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
        database = document["database"]
        subsets = {key: str(entry["subset"]) for key, entry in database.items()}
        labels = {str(label) for label in document.get("labels", [])}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = parse_failure(error) if isinstance(error, ValueError) else repr(error)
        raise DatasetError(
            f"{path}: not JSON of the form labels, database: key: subset, annotations: label ({reason})"
        ) from error
    if split is None and any(is_split(subset, "validation") for subset in subsets.values()):
        split = "validation"
    # Entries of the test part have no labels.
    chosen = [
        _entry(key, database[key], path) for key, subset in subsets.items() if split is None or is_split(subset, split)
    ]
    strange = next((a.label for a in chosen if labels and a.label not in labels), None)
    if strange is not None:
        raise DatasetError(f'{path}: the label "{strange}" is not among its labels; fix the file')
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


def _entry(key: str, entry: Any, path: Path) -> Annotation:
    annotations = entry.get("annotations")
    label = annotations.get("label") if isinstance(annotations, dict) else None
    if not isinstance(label, str | int):
        raise DatasetError(
            f"{path}: {key} has no label in its annotations; give it one, or choose another part with `split`"
        )
    paths = (*(f"{folder}/{key}" for folder in label_folders(str(label))), key)
    return Annotation(key, str(label), paths)


def _not_empty(annotations: Sequence[Annotation], path: Path, split: str | None) -> list[Annotation]:
    if not annotations:
        part = "" if split is None else f' of the split "{split}"'
        raise DatasetError(f"{path}: no videos{part} in it")
    return list(annotations)

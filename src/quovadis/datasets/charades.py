"""Charades (https://prior.allenai.org/projects/charades): videos of several actions, with their times.

`Charades_v1_train.csv` has the columns `id`, `actions` (`c092 11.90 21.20;c147 0.00 12.60`) and `length`, among others;
`Charades_v1_classes.txt` beside it names the 157 classes, as in `c000 Holding some clothes`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from math import isfinite
from pathlib import Path

from quovadis.datasets.dataset import MULTI_LABEL, Action, Annotation, Dataset, Example, check_keys, read_text
from quovadis.datasets.locate import VideoFinder
from quovadis.errors import DatasetError

CLASSES = 157
_CLASSES_NAME = "Charades_v1_classes.txt"
_COLUMNS = ("id", "actions", "length")


def is_charades_csv(path: Path) -> bool:
    """Tell whether a file's first line names the columns of Charades."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            return {*_COLUMNS} <= {*next(csv.reader([file.readline(1 << 16)]), ())}
    except (OSError, UnicodeDecodeError, csv.Error):
        return False


def read_charades(path: Path, *, videos: Path | None = None) -> Dataset:
    """Read one part of Charades; each example has its actions, in the place of one class.

    Args:
        path: of the CSV file; classes are named by `Charades_v1_classes.txt` beside it, else `c000` to `c156`.
        videos: the folder with the videos; None: that of the file.

    Raises:
        DatasetError: it cannot be read, names a video twice, or none of its videos is there.
    """
    labels, finder = _labels(path.parent / _CLASSES_NAME), VideoFinder((videos or path.parent).absolute())
    annotations, examples = [], []
    try:
        rows = csv.DictReader(io.StringIO(read_text(path)), strict=True)
        for row in rows:
            key, actions = _row(row, f"{path}: line {rows.line_num}")
            annotations.append(Annotation(key, "", (key,), rows.line_num))
            examples.append(Example(key, MULTI_LABEL, *finder.find((key,)), actions=actions))
    except csv.Error as error:
        raise DatasetError(f"{path}: cannot be read as CSV ({error}); get the file again") from error
    check_keys(annotations, path)
    dataset = Dataset(path, "charades", tuple(examples), labels)
    if not dataset.existing:
        raise DatasetError(f"{path}: none of its {len(examples)} videos is there; give their folder with `videos`")
    return dataset


def _row(row: Mapping[str, str | None], where: str) -> tuple[str, tuple[Action, ...]]:
    key, written = (row.get("id") or "").strip(), (row.get("actions") or "").strip()
    actions = []
    try:
        for part in filter(None, written.split(";")):
            code, start, end = part.split()
            actions.append(Action(int(code.removeprefix("c")), float(start), float(end)))
    except ValueError:
        actions = [Action(MULTI_LABEL, 0.0, 0.0)]
    if not all(map(_is_possible, actions)):
        raise DatasetError(f"{where} has actions that are not of the form c092 11.90 21.20;c147 0.00 12.60: fix it")
    if not key:
        raise DatasetError(f"{where} has no id: fix it")
    return key, tuple(actions)


def _is_possible(action: Action) -> bool:
    start, end = action.start_seconds, action.end_seconds
    return 0 <= action.label < CLASSES and isfinite(start) and isfinite(end) and start <= end


def _labels(path: Path) -> tuple[str, ...]:
    if not path.is_file():
        return tuple(f"c{index:03d}" for index in range(CLASSES))
    lines = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    names = {code: name for code, _, name in (line.partition(" ") for line in lines)}
    if [*names] != [f"c{index:03d}" for index in range(CLASSES)] or not all(names.values()):
        raise DatasetError(f"{path}: not the {CLASSES} classes c000 to c156, each with its name; get the file again")
    return tuple(names.values())

"""What a training tells of itself: a line of JSON for each step that is logged and each evaluation, and a CSV table."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from quovadis.durable import output_error, output_file

HISTORY_NAME, TABLE_NAME = "history.jsonl", "history.csv"
STEP, EVALUATION = "step", "evaluation"
"""Kinds of records."""


class History:
    """The record of a run, in its folder. What a killed run did in vain is cut off with the next flush."""

    def __init__(self, folder: Path, length: int = 0) -> None:
        """Go on with a record.

        Args:
            folder: of the run.
            length: bytes of the record that count; 0: it begins.
        """
        self.path = folder / HISTORY_NAME
        self._table = folder / TABLE_NAME
        self._length = length
        self._waiting: list[bytes] = []

    def append(self, kind: str, record: Mapping[str, Any]) -> None:
        """Add a record of a kind, which `flush` puts on disk."""
        self._waiting.append(json.dumps({"kind": kind, **record}, ensure_ascii=False).encode() + b"\n")

    def flush(self) -> int:
        """Put all records on disk, and return the length of the file in bytes.

        Raises:
            OutputError: it cannot be written.
        """
        try:
            with self.path.open("ab") as file:
                file.truncate(self._length)
                file.writelines(self._waiting)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise output_error(self.path, error) from error
        self._length += sum(map(len, self._waiting))
        self._waiting.clear()
        return self._length

    def write_table(self) -> None:
        """Write the evaluations as a table.

        Raises:
            OutputError: it cannot be written.
        """
        self.flush()
        rows = [record for record in read_history(self.path) if record["kind"] == EVALUATION]
        names = (
            [name for name, value in rows[0].items() if name != "kind" and not isinstance(value, dict)] if rows else []
        )
        with output_file(self._table) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, names, extrasaction="ignore", lineterminator="\n")
            table.writeheader()
            table.writerows(rows)


def read_history(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the records of a history, oldest first; each has its `kind`, `step` or `evaluation`."""
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)

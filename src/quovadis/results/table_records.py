"""Results of whole videos as the table: a row for each clip or, in dense mode, for each step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from quovadis.errors import QuovadisError, Spell, in_python
from quovadis.results.predictions import VideoPrediction
from quovadis.results.record_file import RecordFile
from quovadis.results.records import failure_dict
from quovadis.results.table import ResultRow, TableWriter, engine_text
from quovadis.video.keys import video_key


class TableRecords:
    """A writer of records, as `results.records` has them; failures, and what was incomplete, are in the metadata."""

    def __init__(self, file: RecordFile, settings: Callable[[], Mapping[str, Any]], spell: Spell = in_python) -> None:
        """Choose where the table goes, what tells its settings at the end, and how errors write options.

        Raises:
            MissingDependencyError: pyarrow is not installed.
        """
        self._file, self._sink = file, _Sink(file)
        # Without its end no Parquet file can be read.
        file.is_usable = False
        self._settings = settings
        self._spell = spell
        self._table = TableWriter(self._sink)
        self._has_rows = False
        self._failures: list[Mapping[str, Any]] = []
        self._incomplete: list[Mapping[str, Any]] = []

    def result(self, result: VideoPrediction) -> None:
        """Take one video's rows; they reach the file once they are many."""
        if not self._has_rows:
            # The classes are known now.
            self._table, self._has_rows = TableWriter(self._sink, labels=result.labels), True
        key, engine = video_key(result.source), engine_text(result.engine)
        self._table.append(
            ResultRow(
                key=key,
                path=result.source,
                start_seconds=clip.start_seconds,
                end_seconds=clip.end_seconds,
                clip=clip.index,
                logits=clip.logits,
                features=clip.features,
                weights_sha256=result.weights.sha256,
                engine=engine,
            )
            for clip in result.clips
        )
        if result.incomplete:
            self._incomplete.append({"key": key, "path": result.source, "notes": list(result.notes)})

    def failure(self, source: str, error: QuovadisError) -> None:
        """Keep one video that could not be classified."""
        self._failures.append(failure_dict(source, error, self._spell))

    def close(self) -> None:
        """Complete the table, unless Ctrl-C came while rows were being written; the file stays open."""
        if self._table.is_broken:
            return
        metadata = {"settings": dict(self._settings()), "failures": self._failures, "incomplete": self._incomplete}
        self._table.finish(metadata, {"axes": ["channels"]})
        self._file.is_usable = True


class _Sink:
    """As much of a file as Arrow asks for."""

    closed = False

    def __init__(self, file: RecordFile) -> None:
        self._file = file

    def write(self, content: bytes) -> int:
        # Arrow completes what was given up as soon as nothing refers to it any more: then there is no file for it.
        if not self._file.is_closed:
            self._file.write(content)
        return len(content)

    def flush(self) -> None:
        """Do nothing: the file is flushed when it is complete."""

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

"""Results for programs: JSON, JSON lines, CSV. One writer a format, all with the same verbs.

Every writer takes results and failures as they come. JSON lines and CSV are written through at once, so that what is
done is not lost when a long run is stopped; JSON is one document and comes at the end. Nothing is written before the
first of them comes, or the writer is closed.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal, Protocol, TypeAlias

from quovadis.errors import QuovadisError, Spell, in_python
from quovadis.results.predictions import ROW_COLUMNS, VideoPrediction
from quovadis.version import __version__

TextFormat: TypeAlias = Literal["json", "jsonl", "csv"]
RecordFormat: TypeAlias = Literal["json", "jsonl", "csv", "parquet"]

CSV_COLUMNS = (*ROW_COLUMNS, "error")


class TextSink(Protocol):
    """Somewhere for text to go: a stream, or a file that is yet to be made."""

    def write(self, text: str, /) -> object:
        """Write some text."""
        ...

    def flush(self) -> object:
        """Let what was written reach its destination."""
        ...


class RecordWriter(Protocol):
    """Somewhere for results to go."""

    def result(self, result: VideoPrediction) -> None:
        """Take one video's result."""
        ...

    def failure(self, source: str, error: QuovadisError) -> None:
        """Take one video that could not be classified."""
        ...

    def close(self) -> None:
        """Finish the document; the stream stays open."""
        ...


class JSONWriter:
    """One document: `{"quovadis": version, "results": […], "failures": […]}`."""

    def __init__(self, stream: TextSink, count: int, spell: Spell = in_python) -> None:
        self._stream = stream
        self._spell = spell
        self._count = count
        self._results: list[Mapping[str, Any]] = []
        self._failures: list[Mapping[str, Any]] = []

    def result(self, result: VideoPrediction) -> None:
        """Keep one video's result."""
        self._results.append(_result_dict(result, self._count))

    def failure(self, source: str, error: QuovadisError) -> None:
        """Keep one video that could not be classified."""
        self._failures.append(failure_dict(source, error, self._spell))

    def close(self) -> None:
        """Write the document."""
        document = {"quovadis": __version__, "results": self._results, "failures": self._failures}
        self._stream.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")
        self._stream.flush()


class JSONLinesWriter:
    """One object a line: a result, or `{"source": …, "error": …}`."""

    def __init__(self, stream: TextSink, count: int, spell: Spell = in_python) -> None:
        self._stream = stream
        self._spell = spell
        self._count = count

    def result(self, result: VideoPrediction) -> None:
        """Write one video's result."""
        self._write(_result_dict(result, self._count))

    def failure(self, source: str, error: QuovadisError) -> None:
        """Write one video that could not be classified."""
        self._write(failure_dict(source, error, self._spell))

    def close(self) -> None:
        """Do nothing: every line is already written."""

    def _write(self, record: Mapping[str, Any]) -> None:
        self._stream.write(json.dumps(record, ensure_ascii=False) + "\n")
        self._stream.flush()


class CSVWriter:
    """One row for each of the best classes, of the video (`scope` video) and of each clip or step (`scope` clip).

    The timeline's segments follow, a row each (`scope` segment).
    """

    def __init__(self, stream: TextSink, count: int, spell: Spell = in_python) -> None:
        self._stream = stream
        self._spell = spell
        self._count = count
        self._has_header = False

    def result(self, result: VideoPrediction) -> None:
        """Write one video's rows."""
        self._write({**row, "incomplete": str(row["incomplete"]).lower()} for row in result.to_rows(self._count))

    def failure(self, source: str, error: QuovadisError) -> None:
        """Write a row with nothing but the source and the error."""
        self._write([{"source": source, "error": error.spelled(self._spell)}])

    def close(self) -> None:
        """Write the header if there is no row; every row is already written."""
        if not self._has_header:
            self._write([])

    def _write(self, rows: Iterable[Mapping[str, Any]]) -> None:
        text = io.StringIO()
        table = csv.DictWriter(text, CSV_COLUMNS, restval="", lineterminator="\n")
        if not self._has_header:
            table.writeheader()
        table.writerows(rows)
        # At once: however the run ends, all rows of a video are there or none.
        self._stream.write(text.getvalue())
        self._has_header = True
        self._stream.flush()


_WRITERS: Mapping[TextFormat, type[JSONWriter | JSONLinesWriter | CSVWriter]] = {
    "json": JSONWriter,
    "jsonl": JSONLinesWriter,
    "csv": CSVWriter,
}


def record_writer(record_format: TextFormat, stream: TextSink, count: int, spell: Spell = in_python) -> RecordWriter:
    """Return the writer of a format of text, on an open stream, for the `count` best classes.

    `spell` says how options are written that errors name.
    """
    return _WRITERS[record_format](stream, count, spell)


def _result_dict(result: VideoPrediction, count: int) -> dict[str, Any]:
    # The streams write bytes that are no text as escapes of JSON, which Python reads back as the name that it was.
    return {**result.to_dict(count), "source": result.source}


def failure_dict(source: str, error: QuovadisError, spell: Spell = in_python) -> dict[str, Any]:
    """Return a video that could not be classified in JSON's types; `spell` says how options are written."""
    return {"source": source, "error": error.spelled(spell), "kind": type(error).__name__}

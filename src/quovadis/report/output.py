"""Where the results of a run go: the terminal, a file for programs, pictures."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Self, cast

from rich.console import Console

from quovadis.errors import OutputError, QuovadisError
from quovadis.report.plot import check_plot_dependency, plot_timeline
from quovadis.report.record_file import RecordFile
from quovadis.report.records import RecordFormat, RecordWriter, record_writer
from quovadis.report.table import prediction_table
from quovadis.results import VideoPrediction

FORMATS_BY_SUFFIX: dict[str, RecordFormat] = {".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv"}
STDOUT = Path("-")


class ResultOutput(AbstractContextManager["ResultOutput"]):
    """Takes results and failures as they come and sends each everywhere it was asked for.

    Records on stdout take the place of the table, so that a program reading stdout sees nothing else. A file is opened
    before any work is done, so that one that cannot be written is known at once.
    """

    def __init__(
        self, *, formats: Sequence[str], output: Path | None, plot: Path | None, top: int, several: bool
    ) -> None:
        """Choose the destinations.

        Args:
            formats: at most one of json, jsonl, csv; none: the suffix of `output` tells.
            output: file for records; `-` or None: stdout.
            plot: picture to draw, or a folder for one picture a video.
            top: how many classes to show.
            several: whether more than one video may come.

        Raises:
            OutputError: formats that contradict each other, or a picture's name where several are to come.
            MissingDependencyError: a picture is wanted and matplotlib is not installed.
        """
        self._format = _choose_format(formats, output)
        self._path = None if output == STDOUT else output
        self._shows_table = self._format is None or self._path is not None
        self._pictures = None if plot is None else Pictures(plot, several=several)
        self._top = top
        self._console = Console(highlight=False)
        self._writer: RecordWriter | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        if self._format is not None:
            stream = self._stack.enter_context(RecordFile(self._path, whole=self._format == "json"))
            self._writer = record_writer(self._format, stream, self._top)
            # Closed also when the run is interrupted: the document then ends with the results so far.
            self._stack.callback(lambda writer: self._guard(writer.close), self._writer)
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def result(self, result: VideoPrediction) -> None:
        """Show and write one video's result.

        Raises:
            OutputError: it cannot be written.
        """
        if self._writer is not None:
            writer = self._writer
            self._guard(lambda: writer.result(result))
        if self._shows_table:
            self._console.print(prediction_table(result, self._top))
        if self._pictures is not None:
            plot_timeline(result, self._pictures.path(result.source), self._top)

    def failure(self, source: str, error: QuovadisError) -> None:
        """Report one video that could not be classified: a line on stderr, and a record.

        Raises:
            OutputError: it cannot be written.
        """
        sys.stderr.write(f"quovadis: error: {error}\n")
        if self._writer is not None:
            writer = self._writer
            self._guard(lambda: writer.failure(source, error))

    def _guard(self, write: Callable[[], None]) -> None:
        try:
            write()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(f"{self._path or 'stdout'}: cannot write the results: {error.strerror}") from error


class Pictures:
    """Names the pictures of a run: one file, or one a video in a folder."""

    def __init__(self, plot: Path, *, several: bool) -> None:
        check_plot_dependency()
        is_folder = plot.is_dir() or not plot.suffix
        if several and not is_folder:
            raise OutputError(f"{plot}: several videos make several pictures: give a folder to --plot")
        self._folder = plot if is_folder else None
        self._file = plot
        self._taken: set[str] = set()
        folder = plot if is_folder else plot.parent
        try:
            folder.mkdir(parents=is_folder, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder}: cannot make the folder for pictures: {error.strerror}") from error

    def path(self, source: str) -> Path:
        """Return the picture's path for a video; videos of the same name in different folders are numbered."""
        if self._folder is None:
            return self._file
        stem = Path(source).stem.replace(":", "_") or "video"
        name, number = f"{stem}.png", 2
        while name in self._taken:
            name, number = f"{stem}-{number}.png", number + 1
        self._taken.add(name)
        return self._folder / name


def _choose_format(formats: Sequence[str], output: Path | None) -> RecordFormat | None:
    if len(formats) > 1:
        raise OutputError(f"choose one of {', '.join('--' + name for name in formats)}")
    if formats:
        return cast(RecordFormat, formats[0])
    if output is None:
        return None
    if output.suffix.lower() not in FORMATS_BY_SUFFIX:
        raise OutputError(f"{output}: say which format to write: --json, --jsonl or --csv")
    return FORMATS_BY_SUFFIX[output.suffix.lower()]

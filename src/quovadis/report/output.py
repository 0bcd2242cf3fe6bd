"""Where the results of a run go: the terminal, a file for programs, pictures."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

from rich.console import Console

from quovadis.errors import NotDoneError, OutputError, QuovadisError, Spell, VideoError, in_python
from quovadis.progress import Notify
from quovadis.report.plot import check_plot_dependency, plot_timeline
from quovadis.report.table import prediction_table
from quovadis.results import VideoPrediction
from quovadis.results.record_file import RecordFile
from quovadis.results.records import RecordFormat, RecordWriter, record_writer
from quovadis.results.table_records import TableRecords
from quovadis.video.expand import is_video_name
from quovadis.video.source import is_address, local_path, short_name

FORMATS_BY_SUFFIX: dict[str, RecordFormat] = {
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
}
STDOUT = (Path("-"), Path("/dev/stdout"))


class ResultOutput(AbstractContextManager["ResultOutput"]):
    """Takes results and failures as they come and sends each everywhere it was asked for.

    Records on stdout take the place of the table, so that a program reading stdout sees nothing else. That a file can
    be written is known before any work is done, but nothing is touched before there is a result to put there. Where a
    run ends early, records say which videos were not done.
    """

    def __init__(
        self,
        *,
        as_json: bool = False,
        as_jsonl: bool = False,
        as_csv: bool = False,
        output: Path | None,
        plot: Path | None,
        top: int,
        several: bool,
        notify: Notify,
        settings: Mapping[str, Any] = MappingProxyType({}),
        spell: Spell = in_python,
    ) -> None:
        """Choose the destinations.

        Args:
            as_json: write one JSON document; without any of the three the suffix of `output` chooses.
            as_jsonl: write one JSON object a video.
            as_csv: write one row a class.
            output: file for records; `-` or None: stdout.
            plot: picture to draw, or a folder for one picture a video.
            top: how many classes to show.
            several: whether more than one video may come.
            notify: called with a line for each failure, and where results do not go where they were to go.
            settings: what the results depend on, which a Parquet file states.
            spell: how options are written that tables and records name.

        Raises:
            OutputError: formats that contradict each other, or a picture's name where several are to come.
            MissingDependencyError: a picture is wanted and matplotlib is not installed.
        """
        wanted: dict[RecordFormat, bool] = {"json": as_json, "jsonl": as_jsonl, "csv": as_csv}
        self._format = _choose_format([name for name in wanted if wanted[name]], output)
        self._path = None if output in STDOUT else output
        self._shows_table = self._format is None or self._path is not None
        self._pictures = None if plot is None else Pictures(plot, several=several)
        self._top = top
        self._notify = notify
        self._settings = settings
        self._spell = spell
        self._console = Console(highlight=False)
        self._file: RecordFile | None = None
        self._writer: RecordWriter | None = None
        self._recorded: list[str] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        if self._format is not None:
            is_table = self._format == "parquet"
            whole = self._format == "json" or is_table
            file = RecordFile(self._path, whole=whole, binary=is_table, notify=self._notify)
            self._file = self._stack.enter_context(file)
            self._file.has_results = False
            if self._format == "parquet":
                self._writer = TableRecords(self._file, self._settings, self._spell)
            else:
                self._writer = record_writer(self._format, self._file, self._top, self._spell)
            self._stack.push(self._close)
        return self

    def _close(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # A run that ended before it did anything has nothing to say; one that was stopped has the results so far.
        if self._writer is not None and (kind is None or self._recorded):
            self._guard(self._writer.close)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, traceback)

    def result(self, result: VideoPrediction) -> None:
        """Show and write one video's result.

        Raises:
            OutputError: it cannot be written.
        """
        if self._writer is not None and self._file is not None:
            writer = self._writer
            self._guard(lambda: writer.result(result))
            self._recorded.append(result.source)
            self._file.has_results = True
        if self._shows_table:
            self._console.print(prediction_table(result, self._top, self._spell))
        if self._pictures is not None:
            plot_timeline(result, self._pictures.path(result.source), self._top)

    def failure(self, source: str, error: QuovadisError) -> None:
        """Report one video that could not be classified: a line on stderr, and a record.

        Raises:
            OutputError: it cannot be written.
        """
        self._notify(f"error: {error}")
        self._record_failure(source, error)

    def stop(self, sources: Sequence[str]) -> None:
        """Record for a run that ends early which of its videos were not done, if anything was done."""
        left = Counter(sources)
        left.subtract(self._recorded)
        if self._recorded:
            # Why the run ends matters more than that this cannot be written.
            with suppress(OutputError, OSError):
                for source in left.elements():
                    self._record_failure(
                        source, NotDoneError(f"{source}: not done: the run ended before it came to this video")
                    )

    def _record_failure(self, source: str, error: QuovadisError) -> None:
        if self._writer is not None:
            writer = self._writer
            self._guard(lambda: writer.failure(source, error))
            self._recorded.append(source)

    def _guard(self, write: Callable[[], None]) -> None:
        try:
            write()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(f"{self._path or 'stdout'}: cannot write the results: {error.strerror}") from error


def check_spares_videos(output: Path | None, sources: Sequence[str]) -> None:
    """Refuse to write over a video: `-o *.mp4`, which a shell turns into the first file's name, is soon typed.

    Args:
        output: where results or a picture are to go; None: nowhere.
        sources: what is to be classified.

    Raises:
        OutputError: it is one of the sources, or is there and has a video's name.
    """
    if output is None or not output.is_file():
        return
    if is_video_name(output.name) or any(_is_same(output, source) for source in sources):
        raise OutputError(f"{output}: this is a video, which results would replace; give another name")


def is_same_file(one: Path | None, other: Path | None) -> bool:
    """Tell whether two names are of one file, there or not; None is no file."""
    return one is not None and other is not None and os.path.realpath(one) == os.path.realpath(other)


def _is_same(output: Path, source: str) -> bool:
    try:
        return not is_address(source) and output.samefile(local_path(source))
    except (OSError, ValueError, VideoError):
        # What is wrong with a source is said when its turn comes.
        return False


class Pictures:
    """Names the pictures of a run: one file, or one a video in a folder."""

    def __init__(self, plot: Path, *, several: bool) -> None:
        check_plot_dependency()
        is_folder = plot.is_dir() or not plot.suffix
        if several and not is_folder:
            raise OutputError(f"{plot}: several videos make several pictures: give a folder to `plot`")
        self._folder = plot if is_folder else None
        self._file = plot
        self._taken: set[str] = set()
        self._check(plot if is_folder else plot.parent, makes_folder=is_folder)

    @staticmethod
    def _check(folder: Path, *, makes_folder: bool) -> None:
        existing = folder
        while makes_folder and not os.path.lexists(existing):
            existing = existing.parent
        if not existing.is_dir():
            raise OutputError(f"{existing}: no such folder; create it, or give another path to `plot`")
        if not os.access(existing, os.W_OK | os.X_OK):
            raise OutputError(f"{existing}: cannot write to this folder; give another path to `plot`")

    def path(self, source: str) -> Path:
        """Return the picture's path for a video; videos of the same name in different folders are numbered.

        Raises:
            OutputError: their folder cannot be made.
        """
        if self._folder is None:
            return self._file
        try:
            # Not before there is a picture to put there.
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self._folder}: cannot make the folder for pictures: {error.strerror}") from error
        stem = Path(short_name(source)).stem.replace(":", "_") or "video"
        name, number = f"{stem}.png", 2
        while name in self._taken:
            name, number = f"{stem}-{number}.png", number + 1
        self._taken.add(name)
        return self._folder / name


def _choose_format(formats: Sequence[RecordFormat], output: Path | None) -> RecordFormat | None:
    if len(formats) > 1:
        raise OutputError(f"choose one of {', '.join(f'`as_{name}`' for name in formats)}")
    if formats:
        return formats[0]
    if output is None:
        return None
    if output.suffix.lower() not in FORMATS_BY_SUFFIX:
        raise OutputError(f"{output}: say which format to write: `as_json`, `as_jsonl` or `as_csv`")
    return FORMATS_BY_SUFFIX[output.suffix.lower()]

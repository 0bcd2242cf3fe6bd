"""Where the results of a run go: the terminal, a file for programs, pictures."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias, get_args

from rich.console import Console

from quovadis.durable import check_folder, output_error
from quovadis.errors import NotDoneError, OutputError, QuovadisError, Spell, VideoError, in_python
from quovadis.progress import Notify
from quovadis.report.plot import check_plot_dependency, picture_formats, plot_timeline
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
OutputFormat: TypeAlias = Literal["table", "json", "jsonl", "csv", "parquet"]
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
        file_format: OutputFormat | None = None,
        output: Path | None,
        plot: Path | None,
        top: int,
        several: bool,
        notify: Notify,
        settings: Callable[[], Mapping[str, Any]] = dict,
        spell: Spell = in_python,
        quiet: bool = False,
    ) -> None:
        """Choose the destinations.

        Args:
            file_format: `table`: no records; else that of the records, one JSON document, one JSON object a video, one
                row a class, or Parquet; None: by the suffix of `output`, and without it `table`.
            output: file for records; `-` or None: stdout.
            plot: picture to draw, or a folder for one picture a video.
            top: how many classes to show.
            several: whether more than one video may come.
            notify: called with a line for each failure, and where results do not go where they were to go.
            settings: called at the end for what the results depend on, which a Parquet file states.
            spell: how options are written that tables and records name.
            quiet: whether no table is shown of what a file has.

        Raises:
            OutputError: a format that `output` does not go with, or a picture's name where several are to come.
            MissingDependencyError: a picture is wanted and matplotlib is not installed.
        """
        self._format = choose_format(file_format, output)
        self._path = None if output in STDOUT else output
        self._shows_table = self._format is None or (self._path is not None and not quiet)
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
            raise output_error(self._path or Path("stdout"), error, "cannot write the results") from error


def choose_format(file_format: OutputFormat | None, output: Path | None) -> RecordFormat | None:
    """Return the format of the records, by what was asked for and by the file's suffix; None: there are none.

    Raises:
        OutputError: the suffix names no format, or another one than was asked for; or a format that does not go there.
    """
    file = None if output in STDOUT else output
    by_suffix = None if file is None else FORMATS_BY_SUFFIX.get(file.suffix.lower())
    if file_format == "table":
        if file is not None:
            raise OutputError(f'{file}: `file_format="table"` is for the terminal; choose another one for a file')
        return None
    if file is not None and file.is_dir():
        raise OutputError(f"{file}: is a folder; name the file to write in it")
    if file is not None and file_format is None and by_suffix is None:
        choices = ", ".join(choice for choice in get_args(OutputFormat) if choice != "table")
        raise OutputError(f"{file}: its suffix names no format; choose one with `file_format`: {choices}")
    if file_format is not None and by_suffix not in (None, file_format):
        raise OutputError(f'{file}: the suffix contradicts `file_format="{file_format}"`; leave one of them out')
    chosen = file_format or by_suffix
    if chosen == "parquet" and file is None:
        raise OutputError("Parquet is for files: name one with `output`")
    return chosen


def check_outputs(file_format: OutputFormat | None, output: Path | None, plot: Path | None, *, several: bool) -> None:
    """Refuse outputs that cannot be, whatever the files: what `choose_format` and `check_plot_name` refuse.

    Raises:
        OutputError: see there.
        MissingDependencyError: a picture is wanted and matplotlib is not installed.
    """
    choose_format(file_format, output)
    if plot is not None:
        check_plot_name(plot, several=several)


def check_plot_name(plot: Path, *, several: bool) -> None:
    """Refuse the name of one picture for several, and one that says no format.

    Raises:
        OutputError: see above.
        MissingDependencyError: matplotlib is not installed.
    """
    check_plot_dependency()
    if plot.is_dir() or not plot.suffix:
        return
    if several:
        raise OutputError(f"{plot}: several videos make several pictures: give a folder to `plot`")
    if (suffix := plot.suffix[1:].lower()) not in (known := picture_formats()):
        raise OutputError(f"{plot}: .{suffix} is not an image format; `plot` takes {', '.join(known)}")


def check_spares_videos(output: Path | None, sources: Sequence[str]) -> None:
    """Refuse to write over a video: `-o *.mp4`, which a shell turns into the first file's name, is soon typed.

    Args:
        output: where results or a picture are to go; None: nowhere.
        sources: what is to be classified.

    Raises:
        OutputError: it is one of the sources, or is there and has a video's name.
    """
    if output is None or output in STDOUT or not output.is_file():
        return
    if is_video_name(output.name) or any(_is_same(output, source) for source in sources):
        raise OutputError(f"{output}: the results would overwrite this video; give another name")


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
        check_plot_name(plot, several=several)
        is_folder = plot.is_dir() or not plot.suffix
        self._folder = plot if is_folder else None
        self._file = plot
        self._taken: set[str] = set()
        folder = plot if is_folder else plot.parent
        try:
            check_folder(folder)
        except OSError as error:
            raise OutputError(
                f"{folder}: cannot write to this folder: {error.strerror}; give another path to `plot`"
            ) from error

    def path(self, source: str) -> Path:
        """Return the picture's path for a video; videos of the same name in different folders are numbered."""
        if self._folder is None:
            return self._file
        stem = Path(short_name(source)).stem.replace(":", "_") or "video"
        name, number = f"{stem}.png", 2
        while name in self._taken:
            name, number = f"{stem}-{number}.png", number + 1
        self._taken.add(name)
        return self._folder / name

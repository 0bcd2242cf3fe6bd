"""What several commands take, and how they speak to the user."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from quovadis import recognizer
from quovadis.cli.command import MODEL_PANEL, OUTPUT, QUIET_HELP, RUN, SAMPLING
from quovadis.cli.spelling import running, with_flags
from quovadis.cli.usage import Needs, UsageError
from quovadis.durable import check_folder
from quovadis.engines.choice import FloatPrecision, check_choice
from quovadis.errors import OutputError
from quovadis.escape import printable
from quovadis.fields import MAX_WORKERS
from quovadis.options import ModelOptions
from quovadis.progress import Notify, ignore_notice
from quovadis.report.output import check_spares_videos, is_same_file
from quovadis.report.progress import DownloadDisplay, VideoProgress
from quovadis.video import VideoLimits

MODEL, LIMITS = ModelOptions(), VideoLimits()
"""What they are where nothing is given."""
JSON_HELP = "Print JSON."


def stderr() -> Console:
    """Return the console that progress is drawn on."""
    return Console(stderr=True, highlight=False)


def notify(message: str) -> None:
    """Say one line on stderr."""
    typer.echo(notice_line(message), err=True)


def notify_above(progress: VideoProgress, message: str) -> None:
    """Say one line on stderr while a bar may be drawn there."""
    progress.print(notice_line(message))


def notice_line(message: str) -> str:
    """Return a line for stderr: that it is ours, and with options as flags."""
    return f"quovadis: {printable(with_flags(message))}"


def notices(*, quiet: bool, above: VideoProgress | None = None) -> Notify:
    """Return what says everything on stderr that is no error: with `--quiet` nothing.

    Args:
        quiet: whether the user wants to be told of errors alone.
        above: a bar that may be drawn there.
    """
    if quiet:
        return ignore_notice
    return notify if above is None else partial(notify_above, above)


def load(options: ModelOptions, *, quiet: bool, **settings: Any) -> recognizer.Recognizer:
    """Load a model as `quovadis.load` does, and show downloads and choices made for the user, unless he wants quiet."""
    with DownloadDisplay(stderr(), enabled=not quiet) as download:
        return recognizer.load(options, notify=notices(quiet=quiet), progress=download, **settings)


@contextmanager
def resumable(ledger: Path, *, restart: bool) -> Iterator[None]:
    """Tell a user who stops a run, or what stops it, that nothing of it is lost; a restart is not to be repeated.

    Args:
        ledger: where the run keeps what is done; a restart replaces it once there is a first result.
        restart: whether an earlier ledger is to be replaced.
    """
    earlier = _file_number(ledger) if restart else None
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        if earlier is not None and _file_number(ledger) == earlier:
            notify("stopped before the first new result: all that the earlier run has done is still there")
        else:
            notify(f"stopped; the same command {'without --restart ' if restart else ''}resumes from here")
        raise


def _file_number(path: Path) -> int | None:
    """Return what tells a file from the one that takes its place; None: there is none."""
    try:
        return path.stat().st_ino
    except OSError:
        return None


def check_resume(resume: Path | None, outputs: Sequence[Path | None], sources: Sequence[str]) -> None:
    """Refuse a file to resume from that is an output too, and one of them that is a video.

    Raises:
        UsageError: results would replace what is done.
        OutputError: what is written would replace a video.
    """
    if any(is_same_file(resume, output) for output in outputs):
        raise UsageError("--resume needs a file of its own: the results would overwrite it")
    for written in (resume, *outputs):
        check_spares_videos(written, sources)


def check_output_folder(folder: Path, suffixes: Collection[str]) -> None:
    """Refuse a folder of results that a user takes for a file, or that cannot be written.

    Args:
        folder: there or not.
        suffixes: of the files that will be in it, with their dots.

    Raises:
        UsageError: it has the name of such a file, and is no folder.
        OutputError: it is a file, or cannot be made or written.
    """
    if folder.is_dir():
        return
    if folder.exists():
        raise OutputError(f"{folder}: is a file, but results go into a folder; choose another `output`")
    if folder.suffix.lower() in suffixes:
        raise UsageError(f"--output: results go into a folder, but {folder} is named like a file", running())
    try:
        check_folder(folder)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written: {error.strerror}; choose another `output`") from error


def check_engine(options: ModelOptions, *, dense: bool = False) -> None:
    """Refuse an engine that does not run on the device, or does not compute as is asked.

    Raises:
        EngineError: naming another one.
    """
    floats: FloatPrecision | None = "f16" if options.precision == "f16" else None
    check_choice(
        options.engine,
        options.device,
        hint=options.hint,
        floats=floats,
        is_int8=options.precision == "int8",
        is_dense=dense,
    )


def parse_fps(text: str) -> float | str:
    """Read a rate."""
    if text == "native":
        return text
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter('give frames a second, or "native" to keep every frame') from None


@dataclass(frozen=True, kw_only=True)
class CommonOptions:
    """What every command over many videos takes: how the run goes, and what it says.

    A field's metadata are its option's: `help`, `rules` on what it goes together with, and what else Typer knows.
    """

    workers: int = field(
        default=1, metadata={"help": "Videos processed at once.", "min": 1, "max": MAX_WORKERS, "rich_help_panel": RUN}
    )
    allow_partial: bool = field(
        default=False,
        metadata={"help": "Take what can be read of a damaged or cut-off video.", "rich_help_panel": RUN},
    )
    fail_fast: bool = field(
        default=False, metadata={"help": "Stop at the first video that fails.", "rich_help_panel": RUN}
    )
    resume: Path | None = field(
        default=None,
        metadata={
            "help": "Keep finished results in this file, and resume from it if interrupted.",
            "metavar": "FILE",
            "rich_help_panel": RUN,
        },
    )
    restart: bool = field(
        default=False,
        metadata={
            "help": "Start over, discarding what an earlier run has done.",
            "rules": [Needs("resume")],
            "rich_help_panel": RUN,
        },
    )
    quiet: bool = field(
        default=False,
        metadata={"help": QUIET_HELP, "flags": ["--quiet", "-q"], "rich_help_panel": RUN},
    )
    as_json: bool = field(default=False, metadata={"help": JSON_HELP, "flags": ["--json"], "rich_help_panel": OUTPUT})


COMMON, COMMON_PARALLEL = CommonOptions(), CommonOptions(workers=2)
"""What they are where nothing is given."""


def fps_option(default: str) -> Any:
    """Return the option of a rate, whose help states this default."""
    return typer.Option(
        parser=parse_fps,
        metavar="FPS|native",
        help="Frames a second to resample to.",
        show_default=default,
        rich_help_panel=SAMPLING,
    )


AsJSON = Annotated[bool, typer.Option("--json", help=JSON_HELP, rich_help_panel=OUTPUT)]
Calibration = Annotated[
    list[str] | None,
    typer.Option(
        "--calibrate",
        metavar="SOURCE",
        help="Video or folder to calibrate int8 on; repeat for more.",
        show_default="the videos",
        rich_help_panel=MODEL_PANEL,
    ),
    Needs(precision="int8"),
]
Labels = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Class names, one per line, in place of those of the weights.")
]

"""What several commands take, and how they speak to the user."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from quovadis.cli.spelling import with_flags
from quovadis.escape import printable
from quovadis.options import ModelOptions
from quovadis.report.output import check_spares_videos, is_same_file
from quovadis.report.progress import VideoProgress
from quovadis.video import VideoLimits

MODEL, LIMITS = ModelOptions(), VideoLimits()
"""What they are where nothing is given."""


def stderr() -> Console:
    """Return the console that progress is drawn on."""
    return Console(stderr=True, highlight=False)


def notify(message: str) -> None:
    """Say one line on stderr."""
    typer.echo(_line(message), err=True)


def notify_above(progress: VideoProgress, message: str) -> None:
    """Say one line on stderr while a bar may be drawn there."""
    progress.print(_line(message))


def _line(message: str) -> str:
    return f"quovadis: {printable(with_flags(message))}"


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
            notify(f"stopped; the same command {'without --restart ' if restart else ''}goes on from here")
        raise


def _file_number(path: Path) -> int | None:
    """Return what tells a file from the one that takes its place; None: there is none."""
    try:
        return path.stat().st_ino
    except OSError:
        return None


def check_resume(resume: Path | None, outputs: Sequence[Path | None], sources: Sequence[str], *, restart: bool) -> None:
    """Refuse a file to resume from that is a source or an output too, and a restart without one.

    Raises:
        typer.BadParameter: naming what is wrong.
        OutputError: the file is one of the videos.
    """
    if restart and resume is None:
        raise typer.BadParameter("--restart is for --resume: without a file nothing of an earlier run is kept")
    if any(is_same_file(resume, output) for output in outputs):
        raise typer.BadParameter("--resume: results would replace what is done: give a file of its own")
    check_spares_videos(resume, sources)


def parse_fps(text: str) -> float | str:
    """Read a rate."""
    if text == "native":
        return text
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter('give frames a second, or "native" to keep every frame') from None


Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
AsJSON = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Labels = Annotated[Path | None, typer.Option(help="Class names, one a line, if not those of the weights.")]
FPS = Annotated[Any, typer.Option(parser=parse_fps, metavar="FPS|native", help="Frames a second to resample to.")]
Workers = Annotated[int, typer.Option(min=1, help="Videos processed at once.")]
Restart = Annotated[bool, typer.Option("--restart", help="Start over, discarding what an earlier run has done.")]
Resume = Annotated[Path | None, typer.Option(metavar="FILE", help="Keep what is done in this file, and go on from it.")]
AllowPartial = Annotated[bool, typer.Option(help="Take what is there of a damaged or cut-off video.")]

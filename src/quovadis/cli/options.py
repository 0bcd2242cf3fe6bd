"""What several commands take, and how they speak to the user."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from quovadis.cli.spelling import with_flags
from quovadis.escape import printable
from quovadis.options import ModelOptions
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
def resumable() -> Iterator[None]:
    """Tell a user who stops a run, or what stops it, that nothing of it is lost."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        notify("stopped; the same command goes on from here")
        raise


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
AllowPartial = Annotated[bool, typer.Option(help="Take what is there of a damaged or cut-off video.")]

"""The command line.

Results go to stdout; progress, notices and errors to stderr. Exit codes: 0 all went well, 1 something could not be done
(each thing with a line on stderr), 2 the command line was wrong, 130 interrupted, 143 terminated.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from types import FrameType
from typing import Annotated, NoReturn

import typer

from quovadis.cli import cache, classify, convert, doctor, evaluate, features, fvd, info, weights
from quovadis.cli.command import Debug, add_command
from quovadis.cli.options import notify
from quovadis.errors import QuovadisError
from quovadis.faults import describe, log_traceback, show_tracebacks_if_asked
from quovadis.interrupts import INTERRUPTED, handle_interrupts
from quovadis.version import __version__

TERMINATED = 143

app = typer.Typer(
    name="quovadis",
    help="Recognise human actions in video with I3D.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    classify.classify,
    features.features,
    evaluate.evaluate,
    fvd.fvd,
    convert.convert,
    info.info,
    info.sample,
    doctor.doctor,
):
    add_command(app, command)
app.add_typer(weights.app, name="weights")
app.add_typer(cache.app, name="cache")


@app.callback(invoke_without_command=True)
def version_option(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)] = False,
    debug: Debug = False,
) -> None:
    """Recognise human actions in video with I3D."""
    if version:
        typer.echo(f"quovadis {__version__}")
        raise typer.Exit


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    """End as Ctrl-C would, with all that is to be tidied and said: so do schedulers and `docker stop` ask for it."""
    sys.exit(TERMINATED)


def main() -> None:
    """Run the command line; every error becomes one line on stderr."""
    try:
        # From here on Ctrl-C is an exception, as `__main__` has kept it from being while modules were imported.
        handle_interrupts(signal.default_int_handler)
        _run()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _run() -> None:
    signal.signal(signal.SIGTERM, _terminate)
    show_tracebacks_if_asked()
    for stream in (sys.stdout, sys.stderr):
        # File names may hold bytes that are no text; a terminal's encoding may lack the bars.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except QuovadisError as error:
        notify(f"error: {error}")
        sys.exit(1)
    except OSError as error:
        # A reader that leaves a pipe, as `head` does, needs no word; a full disk behind stdout does.
        if not isinstance(error, BrokenPipeError):
            log_traceback(error)
            notify(f"error: {error.filename or 'stdout'}: {error.strerror or error}")
        # Python would try to write the rest at exit, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        log_traceback(error)
        notify(f"error: {describe(error)}")
        sys.exit(1)

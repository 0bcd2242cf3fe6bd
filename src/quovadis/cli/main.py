"""The command line.

Results go to stdout; progress, notices and errors to stderr. Exit codes: 0 all went well, 1 something could not be done
(each thing with a line on stderr), 2 the command line was wrong, 130 interrupted, 141 nobody reads stdout any more, 143
terminated.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from types import FrameType
from typing import Annotated, NoReturn

import typer

from quovadis.cli import cache, classify, convert, doctor, evaluate, features, fvd, inflate, info, train, weights
from quovadis.cli.command import CommandGroup, Debug, add_command
from quovadis.cli.options import notify
from quovadis.cli.spelling import running
from quovadis.cli.usage import UsageError, usage_message
from quovadis.errors import QuovadisError
from quovadis.faults import describe, log_traceback, show_tracebacks_if_asked
from quovadis.interrupts import INTERRUPTED, handle_interrupts
from quovadis.version import __version__

WRONG_COMMAND_LINE, UNREAD, TERMINATED = 2, 141, 143

app = typer.Typer(
    name="quovadis",
    help="Recognise human actions in video with I3D.",
    cls=CommandGroup,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
VIDEOS, MODELS, INSTALLATION = "Videos", "Models and weights", "Installation"
"""Groups of commands."""
for group, command in (
    (VIDEOS, classify.classify),
    (VIDEOS, features.features),
    (VIDEOS, evaluate.evaluate),
    (VIDEOS, fvd.fvd),
    (MODELS, train.train),
    (MODELS, convert.convert),
    (MODELS, inflate.inflate),
    (MODELS, info.info),
    (VIDEOS, info.sample),
    (INSTALLATION, doctor.doctor),
):
    add_command(app, command, group=group)
app.add_typer(weights.app, name="weights", cls=CommandGroup, rich_help_panel=MODELS)
app.add_typer(cache.app, name="cache", cls=CommandGroup, rich_help_panel=INSTALLATION)


@app.callback(invoke_without_command=True)
def version_option(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
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
            code = app(prog_name="quovadis", standalone_mode=False)
        finally:
            sys.stdout.flush()
        if code:
            sys.exit(code)
    except SystemExit as end:
        # Typer has met the same error before us.
        sys.exit(UNREAD if isinstance(end.__context__, BrokenPipeError) else end.code)
    except UsageError as error:
        notify(f"error: {usage_message(error)}")
        notify(f"see {(error.ctx or running()).command_path} --help")
        sys.exit(WRONG_COMMAND_LINE)
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
        sys.exit(UNREAD if isinstance(error, BrokenPipeError) else 1)
    except Exception as error:
        log_traceback(error)
        notify(f"error: {describe(error)}")
        sys.exit(1)

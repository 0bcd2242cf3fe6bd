"""`python -m quovadis`, and the command `quovadis`: the command line."""

from __future__ import annotations

import sys

from quovadis.interrupts import handle_interrupts, leave
from quovadis.version import __version__


def main() -> None:
    """Run the command line, quiet about Ctrl-C from the beginning: importing it takes longer than most of its jobs."""
    handle_interrupts(leave)
    if sys.argv[1:] == ["--version"]:
        # Scripts ask for it often; the rest of the command line takes a second.
        print(f"quovadis {__version__}")
        return
    try:
        from quovadis.cli.main import main as run
    except ImportError as error:
        sys.exit(_broken(error))
    try:
        run()
    finally:
        # All is tidied: what Python still does before it ends needs no traceback.
        handle_interrupts(leave)


def _broken(error: ImportError) -> int:
    """Say that something the command line needs is broken, and what, if `quovadis doctor` is asked for."""
    if sys.argv[1:2] == ["doctor"]:
        from quovadis.diagnostics import diagnose
        from quovadis.report.diagnosis import diagnosis_lines

        print(*diagnosis_lines(diagnose()), sep="\n")
    else:
        sys.stderr.write(f"quovadis: error: the installation is broken: {error}; quovadis doctor tells more\n")
    return 1


if __name__ == "__main__":
    main()

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
    from quovadis.cli.main import main as run

    try:
        run()
    finally:
        # All is tidied: what Python still does before it ends needs no traceback.
        handle_interrupts(leave)


if __name__ == "__main__":
    main()

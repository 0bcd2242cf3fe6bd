"""What Ctrl-C does to the command line while there is nothing to clean up yet, or nothing any more.

Nothing else of the package is imported here: this has to work while it is being imported.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType
from typing import NoReturn, TypeAlias

INTERRUPTED = 130

Handler: TypeAlias = Callable[[int, FrameType | None], object]


def leave(number: int, frame: FrameType | None) -> NoReturn:
    """End the process at once and silently: an exception during imports would be shown as a traceback."""
    os._exit(INTERRUPTED)


def handle_interrupts(handler: Handler) -> None:
    """Choose what Ctrl-C does, unless whoever started the process has it ignored, as `nohup` and shells may."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, handler)

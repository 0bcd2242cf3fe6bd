"""Lines that a user sees once, and again when what they say changes."""

from __future__ import annotations

import platform
import sys
from contextlib import suppress

from quovadis.environment import notices_folder
from quovadis.progress import Notify, ignore_notice


def notify_once(name: str, message: str, notify: Notify) -> None:
    """Say a line, unless this installation has said it on this machine.

    Args:
        name: which notice it is: the name of a file in the cache, which holds what was said last.
        message: the line.
        notify: called with it. If the cache cannot be written, it is called each time. What `ignore_notice` would
            swallow is left for the next time.
    """
    if notify is ignore_notice:
        return
    path = notices_folder() / name
    said = f"{message}\n{sys.prefix}\n{platform.node()}\n"
    with suppress(OSError):
        if path.read_text("utf-8") == said:
            return
    notify(message)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(said, "utf-8")

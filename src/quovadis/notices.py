"""Notices that a user needs once, and not at every run."""

from __future__ import annotations

from contextlib import suppress

from quovadis.environment import home
from quovadis.progress import Notify, ignore_notice


def notify_once(name: str, message: str, notify: Notify) -> None:
    """Say a line unless it has been said before, which the cache remembers.

    Args:
        name: what the line is about, as a file's name.
        message: the line.
        notify: called with it; what `ignore_notice` would swallow is left for the next time.
    """
    path = home() / "notices" / name
    if notify is ignore_notice or path.exists():
        return
    notify(message)
    # A cache that cannot be written costs no more than the line at every run.
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

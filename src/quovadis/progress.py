"""How long jobs tell a caller where they stand, without knowing how it is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

DownloadProgress: TypeAlias = Callable[[str, int, int | None], None]
"""Called with what is being fetched, the bytes done, and the bytes in all (None: not known)."""

Notify: TypeAlias = Callable[[str], None]
"""Called with one plain line that a user should see, such as a fallback that was taken."""


def ignore_download_progress(description: str, done_bytes: int, total_bytes: int | None) -> None:
    """Show nothing."""


def ignore_notice(message: str) -> None:
    """Say nothing."""

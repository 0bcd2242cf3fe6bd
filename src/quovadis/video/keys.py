"""What tells a video from all others, however its source is written."""

from __future__ import annotations

import os
from pathlib import Path

from quovadis.escape import escaped
from quovadis.video.source import STANDARD_INPUT, is_address, local_path, public_name
from quovadis.video.sources import standard_input

STANDARD_INPUT_KEY = "stdin://"
"""What the keys of videos that were piped in begin with."""


def video_key(source: str) -> str:
    """Return what tells a video from all others as text: its address, or its path as `resolved_path` writes it.

    Of standard input it is the content. An address is the same whatever its password, which no record holds.

    Raises:
        VideoError: standard input cannot be read.
    """
    if source == STANDARD_INPUT:
        return f"{STANDARD_INPUT_KEY}{standard_input().fingerprint()}"
    # Backslashes are doubled, so that no name looks like another one's escapes.
    name = public_name(source) if is_address(source) else resolved_path(local_path(source))
    return escaped(name.replace("\\", "\\\\"))


def video_path(source: str) -> Path:
    """Return where a video lies, however its source is written; of an address, no path that exists."""
    # Whatever may be called so, it is not the video.
    path = Path(os.devnull, "stdin") if source == STANDARD_INPUT else local_path(source)
    return path if is_address(source) else Path(resolved_path(path))


def resolved_path(path: Path) -> str:
    """Return the path as it is written without `..` and links to folders; a link to a video keeps its name."""
    if path.name in ("", ".."):
        return os.path.realpath(path)
    return str(Path(os.path.realpath(path.parent)) / path.name)

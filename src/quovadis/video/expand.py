"""From what a user names to single videos: folders are searched."""

from __future__ import annotations

import os
from pathlib import Path

from quovadis.errors import VideoError
from quovadis.video.images import images_in, natural_key
from quovadis.video.source import is_address, local_path

VIDEO_SUFFIXES = frozenset(
    {
        *(".3g2", ".3gp", ".amv", ".asf", ".avi", ".dv", ".f4v", ".flv", ".gif", ".h264", ".h265", ".hevc", ".ivf"),
        *(".m1v", ".m2ts", ".m2v", ".m4v", ".mj2", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mpe", ".mpeg", ".mpg"),
        *(
            ".mts",
            ".mxf",
            ".nut",
            ".obu",
            ".ogm",
            ".ogv",
            ".qt",
            ".rm",
            ".rmvb",
            ".ts",
            ".vob",
            ".webm",
            ".wmv",
            ".wtv",
        ),
        ".y4m",
    }
)
"""What counts as a video when a folder is searched; a file that is named itself may be called anything."""


def expand_source(source: str) -> list[str]:
    """Return the videos that `source` names.

    A file, an address or a camera is itself. A folder is searched through all its levels: every video file counts, and
    every folder with images and no videos counts as one video. Hidden files and folders do not count.

    Raises:
        VideoError: a folder with neither, or one that cannot be read.
    """
    path = local_path(source)
    if is_address(source) or not path.is_dir():
        return [source]
    try:
        found = _search(path)
    except OSError as error:
        raise VideoError(f"{error.filename or source}: cannot be read: {error.strerror}") from error
    if not found:
        raise VideoError(f"{source}: no videos and no images in this folder")
    return [str(item) for item in found]


def _search(folder: Path) -> list[Path]:
    found: list[Path] = []

    def fail(error: OSError) -> None:
        raise error

    for name, folders, files in os.walk(folder, onerror=fail):
        folders[:] = sorted((f for f in folders if not f.startswith(".")), key=lambda f: natural_key(Path(f)))
        here = Path(name)
        videos = [here / f for f in files if Path(f).suffix.lower() in VIDEO_SUFFIXES and not f.startswith(".")]
        found.extend(sorted(videos, key=natural_key))
        if not videos and images_in(here):
            found.append(here)
    return found

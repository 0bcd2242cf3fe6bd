"""From what a user names to single videos: folders are searched."""

from __future__ import annotations

import os
from pathlib import Path

from quovadis.errors import VideoError
from quovadis.fields import check_values
from quovadis.video.folders import walk_folders
from quovadis.video.images import images_in, natural_key
from quovadis.video.series import animations_among
from quovadis.video.source import is_address, local_path

VIDEO_SUFFIXES = frozenset(
    {
        *(".3g2", ".3gp", ".amv", ".apng", ".asf", ".avi", ".avifs", ".dv"),
        *(".f4v", ".flv", ".gif", ".h264", ".h265", ".hevc", ".ivf"),
        *(".m1v", ".m2ts", ".m2v", ".m4v", ".mj2", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mpe", ".mpeg", ".mpg"),
        *(".mts", ".mxf", ".nut", ".obu", ".ogm", ".ogv", ".qt"),
        *(".rm", ".rmvb", ".ts", ".vob", ".webm", ".wmv", ".wtv"),
        ".y4m",
    }
)
"""What counts as a video when a folder is searched; a file that is named itself may be called anything."""


def is_video_name(name: str) -> bool:
    """Tell whether a file is a video by its name; hidden ones do not count."""
    return not name.startswith(".") and Path(name).suffix.lower() in VIDEO_SUFFIXES


def discover_videos(source: str | os.PathLike[str]) -> list[str]:
    """Return the videos that `source` names.

    A file, an address or a camera is itself. A folder is searched through all its levels, links included: every video
    file and every animated picture counts, and every folder with images and none of these counts as one video. Hidden
    files and folders do not count.

    Raises:
        VideoError: a folder with neither, or one that cannot be read; or no name.
    """
    check_values(str | os.PathLike[str], VideoError, source=source)
    source = os.fspath(source)
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


def _search(root: Path) -> list[Path]:
    found: list[Path] = []
    for folder, names in walk_folders(root):
        videos = [folder / name for name in names if is_video_name(name)]
        images = images_in(folder)
        videos.extend(animations_among(images))
        found.extend(sorted(videos, key=natural_key))
        if images and not videos:
            found.append(folder)
    return found

"""Where the videos of a dataset are: folders are listed once, and suffixes are found out."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from quovadis.video.expand import VIDEO_SUFFIXES


class VideoFinder:
    """Finds videos and folders of images below one folder."""

    def __init__(self, root: Path) -> None:
        """Take the folder; nothing is read yet."""
        self._root = root
        self._listings: dict[Path, dict[str, Path]] = {}

    def find(self, paths: Iterable[str]) -> Path | None:
        """Return the first of `paths`, from the root, that is there: as it is written, or with a video's suffix."""
        for path in paths:
            wanted = self._root / path
            found = self._listing(wanted.parent).get(wanted.name)
            if found is not None:
                return found
        return None

    def _listing(self, folder: Path) -> dict[str, Path]:
        if folder not in self._listings:
            self._listings[folder] = _list(folder)
        return self._listings[folder]


def _list(folder: Path) -> dict[str, Path]:
    """Return what lies in a folder by name, and videos by their name without suffix too."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries)
    except OSError:
        return {}
    listing: dict[str, Path] = {}
    for name in names:
        path = Path(name)
        if path.suffix.lower() in VIDEO_SUFFIXES:
            listing.setdefault(path.stem, folder / name)
    # A name in full comes before another's beginning.
    listing.update({name: folder / name for name in names})
    return listing

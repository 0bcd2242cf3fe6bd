"""Where the videos of a dataset are: folders are listed once, and suffixes are found out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from quovadis.video.expand import is_video_name
from quovadis.video.frame_folders import has_frames
from quovadis.video.images import is_image_name
from quovadis.video.signatures import animation_kind
from quovadis.video.source import is_address

NO_SUCH_VIDEO = "no such video"
AN_ADDRESS = "an address, but only local videos are evaluated: download it"
NO_FRAMES = "no frames in it"


class Found(NamedTuple):
    """What was found of a video."""

    path: Path | None
    """None if there is none."""
    why_missing: str
    """Why there is none, if there is none."""


class _Listing(NamedTuple):
    """What lies in a folder."""

    names: dict[str, bool]
    """Everything by name, and whether it is a folder."""
    stems: dict[str, str]
    """Names of videos by their names without suffix."""


class VideoFinder:
    """Finds videos and folders of images below one folder."""

    def __init__(self, root: Path) -> None:
        """Take the folder; nothing is read yet."""
        self.root = root
        """What paths count from."""
        self._listings: dict[Path, _Listing] = {}

    def find(self, paths: Iterable[str]) -> Found:
        """Return the first of `paths`, from the root, that is there: as it is written, or with a video's suffix.

        A folder without frames is none, as for Open Model Zoo's accuracy checker.
        """
        reason = NO_SUCH_VIDEO
        for path in paths:
            if "://" in path and is_address(path):
                return Found(None, AN_ADDRESS)
            for found, is_folder in self._candidates(self.root / path):
                if not is_folder or has_frames(found):
                    return Found(found, "")
                reason = NO_FRAMES
        return Found(None, reason)

    def exists(self, path: str) -> bool:
        """Tell whether there is something at a path from the root, as it is written, or with a video's suffix."""
        return any(True for _ in self._candidates(self.root / path))

    def is_folder(self, path: str) -> bool:
        """Tell whether there is a folder at a path from the root."""
        return any(is_folder for _, is_folder in self._candidates(self.root / path))

    def _candidates(self, wanted: Path) -> Iterator[tuple[Path, bool]]:
        folder = wanted.parent
        if folder not in self._listings:
            self._listings[folder] = _list(folder)
        listing = self._listings[folder]
        # A name in full comes before another's beginning.
        for name in (wanted.name, listing.stems.get(wanted.name)):
            if name is not None and name in listing.names:
                yield folder / name, listing.names[name]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        # Whatever it is, reading it will tell.
        return False


def _list(folder: Path) -> _Listing:
    try:
        with os.scandir(folder) as entries:
            names = {entry.name: _is_folder(entry) for entry in sorted(entries, key=lambda entry: entry.name)}
    except (OSError, ValueError):
        # Of a path with a null byte too, there is nothing.
        names = {}
    stems: dict[str, str] = {}
    for name in filter(is_video_name, names):
        stems.setdefault(Path(name).stem, name)
    # Opened only where no video has the name: a picture beside a video is its poster.
    for name in filter(is_image_name, names):
        if Path(name).stem not in stems and not names[name] and animation_kind(folder / name) is not None:
            stems[Path(name).stem] = name
    return _Listing(names, stems)

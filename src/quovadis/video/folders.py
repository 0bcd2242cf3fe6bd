"""Folders searched through all their levels, links included."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from quovadis.video.images import natural_key


class Listing(NamedTuple):
    """What lies directly in one folder, without hidden names."""

    folder: Path
    files: list[str]
    """Names of everything that is no folder, in natural order; links that lead nowhere are among them."""


def walk_folders(root: Path) -> Iterator[Listing]:
    """Yield `root` and every folder below it, each before the folders in it, in natural order of their names.

    Links to folders are followed. A link back to a folder that it lies in is not, so that the search ends; a folder
    that two links lead to is yielded under both paths. Hidden files and folders do not count.

    Raises:
        OSError: a folder cannot be read.
    """
    waiting: list[tuple[Path, frozenset[tuple[int, int]]]] = [(root, frozenset())]
    while waiting:
        folder, above = waiting.pop()
        status = folder.stat()
        identity = status.st_dev, status.st_ino
        if identity in above:
            continue
        with os.scandir(folder) as entries:
            kinds = {entry.name: _is_folder(entry) for entry in entries if not entry.name.startswith(".")}
        names = sorted(kinds, key=lambda name: natural_key(Path(name)))
        yield Listing(folder, [name for name in names if not kinds[name]])
        inner = above | {identity}
        waiting.extend((folder / name, inner) for name in reversed(names) if kinds[name])


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        # For example a link to itself; opening it as a file will say so, if its name is a video's.
        return False

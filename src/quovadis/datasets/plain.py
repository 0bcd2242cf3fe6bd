"""Datasets of one's own: a folder for each class, or a list of paths and labels."""

from __future__ import annotations

import csv
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from quovadis.datasets.dataset import Annotation
from quovadis.datasets.frame_list import ListLine, numbers_per_line, read_frame_list
from quovadis.datasets.locate import VideoFinder
from quovadis.errors import DatasetError
from quovadis.escape import counted
from quovadis.video.expand import is_video_name
from quovadis.video.frame_folders import COUNT_NAME
from quovadis.video.images import is_image_name, natural_key
from quovadis.video.signatures import animation_kind

_HEADERS = ({"path", "file", "filename", "video", "video_path", "clip"}, {"label", "class", "category", "action"})
"""What the columns are called in a first line that is no video."""


def read_folders(root: Path) -> list[Annotation]:
    """Read a folder for each class, with its videos, or folders of images, in it.

    Hidden files do not count, nor what is neither a video, an animated picture, nor a folder with images. A folder
    that is empty, or whose `n_frames` says 0, counts as a video that is missing.

    Raises:
        DatasetError: no folders with videos, or one that cannot be read.
    """
    annotations = []
    try:
        for folder in _visible_folders(root):
            for item in sorted(folder.iterdir(), key=natural_key):
                if not item.name.startswith(".") and _is_example(item):
                    relative = f"{folder.name}/{item.name}"
                    annotations.append(Annotation(relative, folder.name, (relative,)))
    except OSError as error:
        raise DatasetError(f"{error.filename or root}: cannot be read: {error.strerror}") from error
    if not annotations:
        elsewhere = next(
            (path for depth in ("*", "*/*/*") for path in root.glob(depth) if is_video_name(path.name)), None
        )
        only = "" if elsewhere is None else f", only {elsewhere.relative_to(root)}"
        raise DatasetError(
            f"{root}: no folders with videos in it{only}; give a folder for each class, named as the class, with its "
            "videos directly in it"
        )
    return annotations


def unread_folders(root: Path, keys: Collection[str]) -> list[str]:
    """Return folders, from the root, that people may expect to be read: classes without videos, and folders in classes.

    Args:
        root: with a folder for each class.
        keys: of what `read_folders` found in it.
    """
    found: list[str] = []
    classes = {key.partition("/")[0] for key in keys}
    # Folders that cannot be read are not missed here: `read_folders` has refused them.
    with suppress(OSError):
        for folder in _visible_folders(root):
            below = [item for item in _visible_folders(folder) if f"{folder.name}/{item.name}" not in keys]
            deeper = [item for item in below if any(is_video_name(file.name) for file in item.iterdir())]
            found += [f"{folder.name}/{item.name}" for item in deeper]
            if folder.name not in classes and not deeper:
                found.append(folder.name)
    return found


def _visible_folders(root: Path) -> list[Path]:
    return sorted((p for p in root.iterdir() if p.is_dir() and not p.name.startswith(".")), key=natural_key)


def read_list(path: Path, text: str, finder: VideoFinder) -> list[Annotation]:
    """Read a list: a path and a class, by name or number, on each line; or a list of frame folders of MMAction2.

    They are separated by a tab, by a comma as in CSV, or by the first space, except that a number at the end of a line
    is separated by the last one. Empty lines and those that begin with # do not count, nor does a first line that names
    the columns, such as `path,label`. `numbers_per_line` says how a list of frame folders is distinguished from one of
    paths that end in numbers.

    Args:
        path: for messages.
        text: the file's.
        finder: knows which videos and folders there are.

    Raises:
        DatasetError: a line with anything else than two columns.
    """
    lines = [
        ListLine(number, line)
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.startswith("#")
    ]
    if lines and all(line.trailing_numbers > 1 for line in lines):
        numbers = numbers_per_line(lines, [_path_before_class(line.text) for line in lines], finder)
        if numbers is not None:
            return read_frame_list(path, lines, numbers, finder)
    annotations = []
    for number, line in lines:
        try:
            columns = [column.strip() for column in _columns(line)]
        except csv.Error as error:
            raise DatasetError(f"{path}: line {number} cannot be read ({error}); fix it") from error
        if len(columns) != 2 or not all(columns):
            raise DatasetError(
                f"{path}: line {number} has {counted(len(columns), 'column')}, not a path and a class; "
                "separate them by a tab if they contain spaces or commas"
            )
        if number == lines[0].number and all(map(_is_header, columns, _HEADERS)):
            continue
        video, label = columns
        annotations.append(Annotation(video, label, (video,), number))
    if not annotations:
        raise DatasetError(f"{path}: no videos in it")
    return annotations


def _is_header(column: str, names: Collection[str]) -> bool:
    return column.strip("\"'").casefold() in names


def _path_before_class(line: str) -> str | None:
    try:
        columns = _columns(line)
    except csv.Error:
        return None
    return columns[0].strip() if len(columns) == 2 else None


def _columns(line: str) -> list[str]:
    if "\t" in line:
        return line.split("\t")
    if "," in line:
        return next(csv.reader([line], skipinitialspace=True))
    words = line.split()
    return line.rsplit(maxsplit=1) if words[-1].isdecimal() else line.split(maxsplit=1)


def _is_example(item: Path) -> bool:
    if item.is_dir():
        # An empty folder is what a failed extraction leaves.
        names = [file.name for file in item.iterdir()]
        return not names or any(is_image_name(name) or name == COUNT_NAME for name in names)
    return is_video_name(item.name) or (is_image_name(item.name) and animation_kind(item) is not None)

"""MMAction2's lists of frame folders: `folder frames label`, or `folder offset frames label`, on each line.

https://mmaction2.readthedocs.io/en/latest/user_guides/prepare_dataset.html and its `RawframeDataset`: the example is
`frames` frames of the folder, from the `offset`-th on, counted from 0. A list does not say which form it has, and paths
may end in numbers, so that the form is decided from all lines and from what is on disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from quovadis.datasets.dataset import Annotation
from quovadis.datasets.locate import VideoFinder
from quovadis.errors import DatasetError

_FRAMES_LABEL, _OFFSET_FRAMES_LABEL = 2, 3
"""How many numbers stand at the end of each line."""
_MAX_DIGITS = 9
"""Of a number of frames."""


class ListLine(NamedTuple):
    """One line of a list that is neither empty nor a comment."""

    number: int
    """From 1."""
    text: str

    def split_numbers(self, count: int) -> list[str]:
        """Return the path and the last `count` words; paths may hold spaces."""
        return self.text.strip().rsplit(maxsplit=count)

    @property
    def trailing_numbers(self) -> int:
        """How many words at the end are numbers; the first word is always the path's."""
        words = self.text.split("\t") if "\t" in self.text else self.text.split()
        count = 0
        while count < len(words) - 1 and _is_number(words[-1 - count].strip()):
            count += 1
        return count


def numbers_per_line(lines: Sequence[ListLine], video_paths: Sequence[str | None], finder: VideoFinder) -> int | None:
    """Decide whether a list is one of frame folders.

    A list that names an existing video when its lines are read as path and class is such a list, whatever numbers its
    paths end in. Else it is of the form under which most of its folders exist; if none exists, of the form that the
    number of words tells, if it is the same on every line.

    Args:
        lines: all lines.
        video_paths: of each line, the path if the line is a path and a class; None if it cannot be.
        finder: knows what is on disk.

    Returns:
        How many numbers stand at the end of each line, 2 or 3; None if it is a list of paths and classes.
    """
    fewest = min((line.trailing_numbers for line in lines), default=0)
    if fewest < _FRAMES_LABEL or any(path and finder.exists(path) for path in video_paths):
        return None
    forms = [form for form in (_FRAMES_LABEL, _OFFSET_FRAMES_LABEL) if form <= fewest]
    existing = {form: sum(finder.is_folder(line.split_numbers(form)[0]) for line in lines) for form in forms}
    best = max(forms, key=lambda form: existing[form])
    if existing[best]:
        return best
    if any(finder.is_folder(line.split_numbers(line.trailing_numbers)[0]) for line in lines):
        # Several classes on every line: reading it says so.
        return forms[0]
    words = {len(line.text.split()) - 1 for line in lines}
    return next((form for form in forms if words == {form}), None)


def read_frame_list(path: Path, lines: Sequence[ListLine], numbers: int, finder: VideoFinder) -> list[Annotation]:
    """Read the lines of a list of frame folders.

    Args:
        path: for messages.
        lines: all lines.
        numbers: at the end of each line, as `numbers_per_line` found.
        finder: knows what is on disk.

    Raises:
        DatasetError: a line with several classes, or with a number of frames that cannot be.
    """
    annotations = []
    for line in lines:
        folder, *before, frames, label = line.split_numbers(numbers)
        every = line.trailing_numbers
        if every > numbers and not finder.is_folder(folder) and finder.is_folder(line.split_numbers(every)[0]):
            raise DatasetError(
                f"{path}: line {line.number} has several classes; only lists with one class for each video are read"
            )
        offset = before[0] if before else "0"
        if max(len(offset), len(frames)) > _MAX_DIGITS:
            raise DatasetError(f"{path}: line {line.number}: no video has that many frames; correct the line")
        start, stop = int(offset), int(offset) + int(frames)
        # Two stretches of one folder are two examples.
        annotations.append(Annotation(f"{folder}[{start}:{stop}]", label, (folder,), line.number, range(start, stop)))
    return annotations


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdecimal()

"""What a dataset is, whichever form it came in."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from quovadis.errors import DatasetError
from quovadis.escape import escaped
from quovadis.fields import check_path
from quovadis.video import FrameFolder, LocalFile, VideoSource
from quovadis.video.images import natural_key

MAX_NAMED = 5
"""Names in one message."""
LONGEST_NAMED = 100
"""Characters of a name in a message."""


@dataclass(frozen=True)
class Annotation:
    """One line of a dataset, as it was written."""

    key: str
    """What the dataset calls the video: an identifier, or its path."""
    label: str
    """Name or number of the class."""
    paths: tuple[str, ...]
    """Where the video may be, from the folder of videos, best first; without suffix where the form has none."""
    line: int | None = None
    """Of the annotation, from 1; None where it has no lines."""
    frames: range | None = None
    """Which frames of a folder of frames, from 0; None: all."""


@dataclass(frozen=True)
class Action:
    """One of the actions of a video that has several."""

    label: int
    """Index of its class."""
    start_seconds: float
    """When it begins."""
    end_seconds: float
    """When it ends."""


MULTI_LABEL = -1
"""In the place of a class, of a video that has several."""


@dataclass(frozen=True)
class Example:
    """One labelled video."""

    key: str
    """What the dataset calls it; unique."""
    label: int
    """Index of its class; `MULTI_LABEL` for a video of several, which are its actions."""
    path: Path | None
    """A video, or a folder of images; None if there is none."""
    why_missing: str = "no such video"
    """Why there is none, if there is none."""
    frames: range | None = None
    """Which frames of a folder of frames, from 0; None: all."""
    actions: tuple[Action, ...] | None = None
    """What happens in it, of a dataset whose videos have any number of classes; None: it has one class."""


def read_text(path: Path, advice: str = "get it again") -> str:
    """Return the text of a file of annotations.

    Args:
        path: of the file.
        advice: what to do where it is no text.

    Raises:
        DatasetError: it cannot be read, or is not UTF-8 text.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: not UTF-8 text; {advice}") from error


def example_source(path: str | os.PathLike[str], frames: range | None = None) -> VideoSource:
    """Return what the frames of a labelled video are read from: a file, or a folder of extracted frames.

    Args:
        path: of an example.
        frames: which frames of a folder of frames, from 0; None: all.

    Raises:
        DatasetError: `path` is of another type, or empty.
    """
    path = check_path("path", path, DatasetError)
    return FrameFolder(path, frames=frames, extracted=True) if path.is_dir() else LocalFile(path)


@dataclass(frozen=True)
class Dataset:
    """Labelled videos in the order of their annotation, the missing ones too."""

    source: Path
    """The annotation, or the folder of folders."""
    format: str
    examples: tuple[Example, ...]
    labels: tuple[str, ...] = ()
    """Names of the classes, in the order of their indices."""

    @property
    def is_multi_label(self) -> bool:
        """Whether a video may have any number of classes."""
        return any(example.actions is not None for example in self.examples)

    @property
    def missing(self) -> tuple[Example, ...]:
        """Examples without a video."""
        return tuple(example for example in self.examples if example.path is None)

    @property
    def existing(self) -> tuple[Example, ...]:
        """Examples with a video."""
        return tuple(example for example in self.examples if example.path is not None)

    def first(self, existing: int) -> Dataset:
        """Return the dataset up to the example that makes so many existing ones; all of it if there are fewer."""
        kept = []
        for example in self.examples:
            if existing == 0:
                break
            existing -= example.path is not None
            kept.append(example)
        return replace(self, examples=tuple(kept))


class Classes:
    """The network's classes by what datasets call them."""

    def __init__(self, labels: Sequence[str]) -> None:
        """Take the names, in output order."""
        self._count = len(labels)
        self._by_name = {plain_name(label): index for index, label in enumerate(labels)}

    def index(self, written: str) -> int | None:
        """Return the class of a name, or of a number of the output; None if there is none.

        Names are compared without regard to case, quotes, and underscores for spaces.
        """
        index = self._by_name.get(plain_name(written))
        if index is not None or not (written.isascii() and written.isdecimal()):
            return index
        # Python refuses to read a number of thousands of digits.
        digits = written.lstrip("0")[: len(str(self._count)) + 1] or "0"
        return int(digits) if int(digits) < self._count else None


def plain_name(label: str) -> str:
    """Return a class name in the form that names are compared in."""
    return " ".join(label.strip().strip("\"'").replace("_", " ").casefold().split())


def own_labels(annotations: Iterable[Annotation], source: Path) -> tuple[str, ...]:
    """Return the class names of a dataset that nobody else has named: those in it, in natural order.

    Raises:
        DatasetError: two of them differ by case, quotes, or underscores for spaces only, or one is not UTF-8 text.
    """
    by_name: dict[str, str] = {}
    for annotation in annotations:
        written = annotation.label.strip()
        if escaped(written) != written:
            raise DatasetError(f'{source}: the name of the class "{written}" is not UTF-8 text: rename its folder')
        other = by_name.setdefault(plain_name(written), written)
        if other != written:
            raise DatasetError(f'{source}: "{other}" and "{written}" are one class, written in two ways: rename one')
    return tuple(sorted(by_name.values(), key=lambda label: natural_key(Path(label))))


def check_labels(annotations: Iterable[Annotation], classes: Classes, source: Path, advice: str) -> None:
    """Refuse a dataset with classes that the network does not have.

    Args:
        annotations: of the whole dataset.
        classes: of the network.
        source: for the message.
        advice: for the message: what may be wrong with the dataset.

    Raises:
        DatasetError: naming them, and the lines of the first few.
    """
    unknown: dict[str, int | None] = {}
    for annotation in annotations:
        if classes.index(annotation.label) is None:
            unknown.setdefault(annotation.label, annotation.line)
    if unknown:
        named = ", ".join(_with_line(label, line) for label, line in list(unknown.items())[:MAX_NAMED])
        more = f" and {len(unknown) - MAX_NAMED} more" if len(unknown) > MAX_NAMED else ""
        raise DatasetError(
            f"{source}: the network has no class {named}{more}; give its class names with `labels`, or {advice}"
        )


def _with_line(label: str, line: int | None) -> str:
    short = label if len(label) <= LONGEST_NAMED else f"{label[:LONGEST_NAMED]}…"
    return f'"{short}"' if line is None else f'"{short}" (line {line})'


def check_keys(annotations: Iterable[Annotation], source: Path) -> None:
    """Refuse a dataset that names a video twice.

    Raises:
        DatasetError: naming it.
    """
    seen: set[str] = set()
    for annotation in annotations:
        if annotation.key in seen:
            raise DatasetError(f"{source}: {annotation.key} is listed twice; list each video once")
        seen.add(annotation.key)


def check_paths(examples: Iterable[Example], source: Path) -> None:
    """Refuse a dataset that names a video twice, in two ways.

    Raises:
        DatasetError: naming both.
    """
    seen: dict[tuple[str, range | None], str] = {}
    for example in examples:
        if example.path is None:
            continue
        path = os.path.realpath(example.path)
        other = seen.setdefault((path, example.frames), example.key)
        if other != example.key:
            raise DatasetError(f"{source}: {other} and {example.key} are the same video, {path}; list each video once")

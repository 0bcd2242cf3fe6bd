"""What a dataset is, whichever form it came in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from quovadis.errors import DatasetError

MOST_NAMED = 5
"""Names in one message."""


@dataclass(frozen=True)
class Annotation:
    """One line of a dataset, as it was written."""

    key: str
    """What the dataset calls the video: an identifier, or its path."""
    label: str
    """Name or number of the class."""
    paths: tuple[str, ...]
    """Where the video may be, from the folder of videos, best first; without suffix where the form has none."""


@dataclass(frozen=True)
class Example:
    """One labelled video."""

    key: str
    """What the dataset calls it; unique."""
    label: int
    """Index of its class."""
    path: Path | None
    """A video, or a folder of images; None if there is none."""


@dataclass(frozen=True)
class Dataset:
    """Labelled videos in the order of their annotation, the missing ones too."""

    source: Path
    """The annotation, or the folder of folders."""
    format: str
    examples: tuple[Example, ...]

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
        return Dataset(self.source, self.format, tuple(kept))


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
        if index is None and written.isascii() and written.isdecimal() and int(written) < self._count:
            return int(written)
        return index


def plain_name(label: str) -> str:
    """Return a class name in the form that names are compared in."""
    return " ".join(label.strip().strip("\"'").replace("_", " ").casefold().split())


def check_labels(annotations: Iterable[Annotation], classes: Classes, source: Path) -> None:
    """Refuse a dataset with classes that the network does not have.

    Raises:
        DatasetError: naming them.
    """
    unknown = dict.fromkeys(a.label for a in annotations if classes.index(a.label) is None)
    if unknown:
        named = ", ".join(f'"{label}"' for label in list(unknown)[:MOST_NAMED])
        more = f" and {len(unknown) - MOST_NAMED} more" if len(unknown) > MOST_NAMED else ""
        raise DatasetError(
            f"{source}: the network has no class {named}{more}; give its class names with --labels, or mend the dataset"
        )


def check_keys(annotations: Iterable[Annotation], source: Path) -> None:
    """Refuse a dataset that names a video twice.

    Raises:
        DatasetError: naming it.
    """
    seen: set[str] = set()
    for annotation in annotations:
        if annotation.key in seen:
            raise DatasetError(f"{source}: {annotation.key} stands in it twice; a video counts once")
        seen.add(annotation.key)

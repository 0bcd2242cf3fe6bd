"""What a writer is, and the files that it writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from quovadis.durable import atomic_replace
from quovadis.inference.feature_rows import FeatureRow


@dataclass(frozen=True)
class Provenance:
    """Where the features of one video come from."""

    key: str
    """What tells the video from others."""
    path: str
    """The video, as it was given."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Everything that the features depend on, weights and engine too, in JSON's types."""


class FeatureWriter(Protocol):
    """Somewhere for the features of one video to go."""

    def append(self, row: FeatureRow) -> None:
        """Take the next row; all rows of a video have one shape."""
        ...

    def finish(self, frames_per_second: float) -> list[str]:
        """Complete the files, give them their names, and return these."""
        ...

    def abandon(self) -> None:
        """Leave nothing behind of files that are not complete; safe to call after `finish`."""
        ...


class Files:
    """The files of one video, under temporary names until all of them are complete."""

    def __init__(self, folder: Path) -> None:
        """Choose the folder, which must exist."""
        self._folder = folder
        self._names: list[str] = []

    def temporary(self, name: str) -> Path:
        """Return where to write a file that will be called `name`."""
        if name not in self._names:
            self._names.append(name)
        return self._folder / f".{name}.part"

    def atomic_replace(self) -> list[str]:
        """Give every file its name, once it is on disk, and return the names."""
        for name in self._names:
            atomic_replace(self.temporary(name), self._folder / name)
        return self._names

    def abandon(self) -> None:
        """Take away what is not published."""
        for name in self._names:
            self.temporary(name).unlink(missing_ok=True)

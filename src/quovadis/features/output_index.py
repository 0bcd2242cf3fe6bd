"""What is recorded of every video: what its files are called, what they hold, and whether they are complete."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import takewhile
from pathlib import Path, PurePath
from typing import Self

from quovadis.errors import OutputError, VideoError
from quovadis.features.formats import FeatureFormat, file_names
from quovadis.features.names import output_names
from quovadis.runs.ledger import Ledger
from quovadis.runs.tasks import VideoTask
from quovadis.video.keys import video_key, video_path
from quovadis.video.source import is_address


@dataclass(frozen=True)
class OutputEntry:
    """What is recorded of one video."""

    name: str
    """What its files are called, but for their suffixes."""
    path: str | None
    """Where the video is; None of an address."""
    files: Mapping[str, int | None]
    """Names in the folder, and bytes of each; None of a file that is not known to be complete."""
    shape: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    incomplete: bool = False
    """Whether these are features of what could be read of a damaged or cut-off video."""

    def to_bytes(self) -> bytes:
        """Return the entry as the ledger keeps it."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read what `to_bytes` wrote.

        Raises:
            ValueError: it is something else.
        """
        try:
            values = json.loads(content)
            name, files = str(values["name"]), dict(values["files"])
            shape, notes = tuple(map(int, values["shape"])), tuple(map(str, values["notes"]))
            return cls(name, values["path"], files, shape, notes, bool(values["incomplete"]))
        except (TypeError, KeyError, ValueError, RecursionError) as error:
            raise ValueError(f"an entry that is damaged: {error}") from error

    def is_gone(self) -> bool:
        """Tell whether the video is no longer where it was."""
        if self.path is None:
            return False
        try:
            Path(self.path).stat()
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            # It may be there: nothing of it is given away.
            return False
        return False

    def any_file(self, folder: Path) -> Path | None:
        """Return one of the files that are there, whatever is in it, or None."""
        return next((folder / name for name in self.files if (folder / name).exists()), None)

    def is_complete(self, folder: Path) -> bool:
        """Tell whether every file is there, as long as it was when it was written."""
        try:
            return all((folder / name).stat().st_size == size for name, size in self.files.items())
        except OSError:
            return False


class OutputIndex:
    """The entries of a folder, which files are its own, and which names are taken; the codec of entries too."""

    def __init__(self, ledger: Ledger, folder: Path, file_format: FeatureFormat, *, allow_partial: bool) -> None:
        """Read all entries of an open ledger.

        Of entries that a restart has forgotten nothing is done any more, but their names are taken, and their files are
        known for our own.

        Args:
            ledger: of the folder.
            folder: where the files are.
            file_format: how they are written.
            allow_partial: whether features of a part of a video count.

        Raises:
            OutputError: the ledger is damaged, or cannot be written.
        """
        self._ledger = ledger
        self._folder = folder
        self._form = file_format
        self._allow_partial = allow_partial
        self._begun: set[str] = set()
        undone: dict[str, tuple[Path, bytes]] = {}
        for key, content in ledger.discarded.items():
            with suppress(ValueError):
                entry = OutputEntry.from_bytes(content)
                files = dict.fromkeys([*entry.files, *file_names(file_format, entry.name)])
                undone[key] = Path(entry.path or key), OutputEntry(entry.name, entry.path, files).to_bytes()
        ledger.update(undone)
        try:
            self._entries = {key: OutputEntry.from_bytes(content) for key, content in ledger.results()}
        except ValueError as error:
            raise ledger.unusable(error) from error

    def tasks(self, sources: Sequence[str]) -> list[VideoTask[str]]:
        """Return the videos with the names of their files: as in an earlier run, else as no other video has them.

        A video that is given twice is one. One that has been moved since, as a whole dataset may be, keeps its name and
        its features.

        Raises:
            OutputError: the ledger is damaged, or cannot be written.
        """
        by_key = {video_key(source): source for source in reversed(sources)}
        keys = list(dict.fromkeys(map(video_key, sources)))
        self._adopt_moved({key: by_key[key] for key in keys if key not in self._entries})
        # A name whose video is gone is free once its features are gone too.
        names = {
            key: entry.name
            for key, entry in self._entries.items()
            if key in by_key or not entry.is_gone() or entry.any_file(self._folder) is not None
        }
        new = [key for key in keys if key not in names]
        names |= dict(zip(new, output_names(new, names), strict=True))
        return [VideoTask(key, by_key[key], video_path(by_key[key]), names[key]) for key in keys]

    def _adopt_moved(self, unknown: Mapping[str, str]) -> None:
        gone: dict[str, list[str]] = {}
        if unknown:
            for key, entry in self._entries.items():
                if entry.is_gone():
                    gone.setdefault(PurePath(key).name, []).append(key)
        for key, source in unknown.items():
            candidates = [] if is_address(source) else gone.get(PurePath(key).name, [])
            path = video_path(source)
            old = _nearest(key, [old for old in candidates if self._ledger.is_same_elsewhere(old, path)])
            if old is not None:
                candidates.remove(old)
                entry = self._entries[key] = replace(self._entries.pop(old), path=str(path))
                self._ledger.move(old, key, path, entry.to_bytes())

    def encode(self, entry: OutputEntry) -> bytes:
        """Return an entry as the ledger keeps it."""
        return entry.to_bytes()

    def decode(self, content: bytes) -> OutputEntry | None:
        """Read an entry; None if its files are not as they were, or hold a part where parts do not count.

        Raises:
            ValueError: it is damaged.
        """
        entry = OutputEntry.from_bytes(content)
        counts = entry.is_complete(self._folder) and (self._allow_partial or not entry.incomplete)
        return entry if counts else None

    def begin(self, tasks: Iterable[VideoTask[str]], *, overwrite: bool) -> None:
        """Note which files are going to be written, so that they are known for our own whatever happens.

        Args:
            tasks: the videos.
            overwrite: whether files of others may be written over.

        Raises:
            OutputError: such a file is there, or the ledger cannot be written.
        """
        own = {name.casefold() for entry in self._entries.values() for name in entry.files}
        begun: dict[str, tuple[Path, OutputEntry]] = {}
        for task in tasks:
            # An entry that is there stays until the video is done again: its files are known for ours by it.
            if task.key in self._entries:
                continue
            entry = OutputEntry(task.payload, _recorded_path(task), dict.fromkeys(file_names(self._form, task.payload)))
            for name in entry.files:
                if not overwrite and name.casefold() not in own and os.path.lexists(self._folder / name):
                    raise OutputError(
                        f"{self._folder / name}: is there already, and nothing says that this command has made it; "
                        "give another folder, or `restart=True` to write over it"
                    )
            begun[task.key] = video_path(task.name), entry
        # Their names were free because their videos are gone.
        taken = {name.casefold() for _, entry in begun.values() for name in entry.files}
        replaced = [
            key for key, entry in self._entries.items() if not taken.isdisjoint(name.casefold() for name in entry.files)
        ]
        self._ledger.update({key: (path, entry.to_bytes()) for key, (path, entry) in begun.items()}, forget=replaced)
        for key in replaced:
            del self._entries[key]
        self._entries |= {key: entry for key, (_, entry) in begun.items()}
        self._begun = set(begun)

    def entry(
        self, task: VideoTask[str], shape: tuple[int, ...], notes: tuple[str, ...], *, incomplete: bool
    ) -> OutputEntry:
        """Return what is to be recorded of a video whose files are written.

        Raises:
            OutputError: a file has gone.
        """
        try:
            files = {name: (self._folder / name).stat().st_size for name in file_names(self._form, task.payload)}
        except OSError as error:
            raise OutputError(f"{error.filename}: cannot be read: {error.strerror}") from error
        return OutputEntry(task.payload, _recorded_path(task), files, shape, notes, incomplete)

    def finish(self, task: VideoTask[str], entry: OutputEntry) -> None:
        """Take a video as done, its entry being in the ledger, and remove its files of another format.

        Raises:
            OutputError: such a file cannot be removed.
        """
        old = self._entries.get(task.key, entry)
        self._entries[task.key] = entry
        left = [name for name in old.files if name not in entry.files]
        if not left:
            return
        kept = {name.casefold() for one in self._entries.values() for name in one.files}
        for name in left:
            if name.casefold() not in kept:
                try:
                    (self._folder / name).unlink(missing_ok=True)
                except OSError as error:
                    raise OutputError(f"{self._folder / name}: cannot be removed: {error.strerror}") from error

    def fail(self, task: VideoTask[str], error: VideoError) -> VideoError:
        """Take a video as one without features, and return what to say: files of an earlier run stay where they are.

        Raises:
            OutputError: the ledger cannot be written.
        """
        # What is there under the names of a video that no earlier run knew is not ours.
        left = None if task.key in self._begun else self._entries[task.key].any_file(self._folder)
        if left is not None:
            return error.restated(f"{error}; its earlier features are left as they are: {left}", type(error))
        self._ledger.update({}, forget=[task.key])
        del self._entries[task.key]
        return error


def _nearest(key: str, others: Sequence[str]) -> str | None:
    """Return the path that ends in the most folders of the same names, or None if that is no single one."""

    def shared(other: str) -> int:
        ends = zip(PurePath(key).parts[::-1], PurePath(other).parts[::-1], strict=False)
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], ends))

    best = sorted(others, key=shared, reverse=True)[:2]
    return best[0] if len(best) == 1 or (best and shared(best[0]) > shared(best[1])) else None


def _recorded_path(task: VideoTask[str]) -> str | None:
    return None if is_address(task.name) else str(task.path)

"""Where a conversion writes: hidden until all of it is there, then given its names at once."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Self

from quovadis.durable import atomic_replace, output_error
from quovadis.errors import OutputError
from quovadis.export.layouts import Plan


class Destination(AbstractContextManager["Destination"]):
    """A folder that files go into, first under a temporary folder in it or beside it; made once there is one."""

    def __init__(self, folder: Path, plan: Plan, *, overwrite: bool) -> None:
        """Check that the destination can be written.

        Raises:
            OutputError: something of the plan is there already.
        """
        self._folder = folder
        self._overwrite = overwrite
        self._entries = plan.entries()
        self._check_free()

    def __enter__(self) -> Self:
        existing = self._folder
        while not existing.exists():
            existing = existing.parent
        try:
            self._temporary = Path(tempfile.mkdtemp(prefix=f".{self._folder.name or 'quovadis'}.", dir=existing))
        except OSError as error:
            raise output_error(existing, error, "cannot write there") from error
        self._content = self._temporary / "content"
        self._content.mkdir()
        return self

    def __exit__(self, *exception: object) -> None:
        shutil.rmtree(self._temporary, ignore_errors=True)

    def temporary(self, name: str) -> Path:
        """Return where to write the file `name` of the plan; its folder is there."""
        path = self._content / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write_text(self, name: str, text: str) -> None:
        """Write a text file; one beside the plan's files, where it stands already with this text, stays as it is.

        Raises:
            OutputError: another text is there already, or it has the name of one of the plan's files.
        """
        if name in self._entries:
            raise OutputError(f"{self._folder / name}: a text file gets this name; name the model otherwise")
        if name.partition("/")[0] not in self._entries:
            target = self._folder / name
            if target.is_file() and target.read_bytes() == text.encode():
                return
            # It gets its name before the model that leads to it.
            self._entries = (name, *self._entries)
            self._check_free()
        self.temporary(name).write_text(text, encoding="utf-8")

    def atomic_replace(self) -> tuple[Path, ...]:
        """Give everything its name, and return all files.

        Raises:
            OutputError: something is there by now, or the disk is full.
        """
        self._check_free()
        made = [folder for folder in (self._folder, *self._folder.parents) if not folder.exists()]
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            files = sorted(path.relative_to(self._content) for path in self._content.rglob("*") if path.is_file())
            self._replace([(self._content / name, self._folder / name) for name in self._entries])
        except BaseException as error:
            for folder in made:
                # Not of whoever has put something in it by now.
                with suppress(OSError):
                    folder.rmdir()
            if not isinstance(error, OSError):
                raise
            raise output_error(Path(error.filename or self._folder), error, "cannot write there") from error
        return tuple(self._folder / file for file in files)

    def _replace(self, entries: list[tuple[Path, Path]]) -> None:
        """Give every entry its name, or none: whatever ends this in between, what was there is put back."""
        for entry, _ in entries:
            for file in entry.rglob("*") if entry.is_dir() else [entry]:
                if file.is_file():
                    with file.open("rb") as stream:
                        os.fsync(stream.fileno())
        undo = [(self._temporary / f"replaced-{index}", target) for index, (_, target) in enumerate(entries)]
        begun = 0
        try:
            for (entry, target), (old, _) in zip(entries, undo, strict=True):
                begun += 1
                if entry.is_dir():
                    if target.exists():
                        target.rename(old)
                    entry.rename(target)
                    continue
                if target.is_file():
                    _copy(target, old)
                atomic_replace(entry, target)
        except BaseException:
            for (entry, target), (old, _) in zip(entries[:begun], undo, strict=False):
                if os.path.lexists(old):
                    if target.is_dir():
                        target.rename(entry)
                    old.replace(target)
                elif not entry.exists():
                    # New, and nothing was there before.
                    target.rename(entry)
            raise

    def _check_free(self) -> None:
        for name in self._entries:
            target = self._folder / name
            # A broken link is there too.
            if (target.exists() or target.is_symlink()) and not self._overwrite:
                raise OutputError(f"{target}: is there already; `overwrite=True` replaces it")


def _copy(target: Path, old: Path) -> None:
    """Keep a file under a second name, at no cost where the file system can."""
    try:
        old.hardlink_to(target)
    except OSError:
        shutil.copy2(target, old, follow_symlinks=False)

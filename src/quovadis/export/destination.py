"""Where a conversion writes: hidden until all of it is there, then given its names at once."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Self

from quovadis.errors import OutputError
from quovadis.export.layouts import Plan
from quovadis.fetch.durable import publish


class Destination(AbstractContextManager["Destination"]):
    """A folder that files go into, first under a temporary folder in it or beside it."""

    def __init__(self, folder: Path, plan: Plan, *, overwrite: bool) -> None:
        """Check that the destination can be written.

        Raises:
            OutputError: something of the plan is there already, or the folder cannot be made or written.
        """
        self._folder = folder
        self._overwrite = overwrite
        self._plan = plan
        if not plan.makes_folder and not folder.is_dir():
            raise OutputError(f"{folder}: there is no such folder; make it first")
        self._check_free()

    def __enter__(self) -> Self:
        existing = self._folder
        while not existing.exists():
            existing = existing.parent
        try:
            self._temporary = Path(tempfile.mkdtemp(prefix=f".{self._folder.name or 'quovadis'}.", dir=existing))
        except OSError as error:
            raise OutputError(f"{existing}: cannot write there: {error.strerror}") from error
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

    def publish(self) -> tuple[Path, ...]:
        """Give everything its name, and return all files.

        Raises:
            OutputError: something is there by now, or the disk is full.
        """
        self._check_free()
        try:
            self._folder.mkdir(parents=self._plan.makes_folder, exist_ok=True)
            files = sorted(path.relative_to(self._content) for path in self._content.rglob("*") if path.is_file())
            for name in self._plan.entries():
                self._publish(self._content / name, self._folder / name)
        except OSError as error:
            raise OutputError(f"{error.filename or self._folder}: cannot write there: {error.strerror}") from error
        return tuple(self._folder / file for file in files)

    def _publish(self, entry: Path, target: Path) -> None:
        if not entry.is_dir():
            publish(entry, target)
            return
        for file in entry.rglob("*"):
            if file.is_file():
                with file.open("rb") as stream:
                    os.fsync(stream.fileno())
        if target.exists():
            target.rename(self._temporary / "replaced")
        entry.rename(target)

    def _check_free(self) -> None:
        for name in self._plan.entries():
            target = self._folder / name
            # A broken link is there too.
            if (target.exists() or target.is_symlink()) and not self._overwrite:
                raise OutputError(f"{target}: is there already; --force replaces it")

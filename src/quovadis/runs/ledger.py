"""What is done of a run over many videos, on disk as soon as it is done: SQLite, which a power cut leaves whole."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from threading import RLock
from types import MappingProxyType
from typing import Any, Self

from filelock import FileLock

from quovadis.durable import atomic_replace, output_folder, take_lock
from quovadis.errors import OutputError
from quovadis.escape import escaped, parse_failure
from quovadis.runs.settings import difference
from quovadis.video.fingerprints import ABSENT, path_state

_SCHEMA = """
BEGIN;
CREATE TABLE IF NOT EXISTS settings (text TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS videos (
    key TEXT PRIMARY KEY, file TEXT NOT NULL, result BLOB NOT NULL, maker TEXT NOT NULL
);
COMMIT;
"""
_TABLES = {"settings", "videos"}
_FIRST_BYTES = b"SQLite format 3\0"

_RESULTS = "SELECT key, result FROM videos"


class Ledger(AbstractContextManager["Ledger"]):
    """The results of the videos that are done, under one set of settings; one process at a time."""

    def __init__(
        self,
        path: Path,
        settings: Mapping[str, Any],
        maker: Mapping[str, str] = MappingProxyType({}),
        *,
        restart: bool = False,
        is_named: bool = False,
    ) -> None:
        """Choose the file.

        Args:
            path: the database; made, with its folder, if it is not there.
            settings: everything that decides results, in JSON's types; a ledger of other settings is refused. Errors
                name those that differ as options: see `given_options`.
            maker: what makes the results of this run, such as the engine and its version; kept with each, so that
                another machine or a newer engine can go on.
            restart: start over, whatever is there. An older ledger stays until there is a result to keep: until `store`
                or `replace_older` is called, what is written stays in memory.
            is_named: whether the user has named this file, and not its folder.
        """
        self._path = path
        # What errors name, and what they advise to give another of.
        self._home, self._kind = (path, "file") if is_named else (path.parent, "folder")
        self._option = "resume" if is_named else "output"
        self._is_named = is_named
        self._maker = _text(maker)
        self._settings = _text(settings)
        self._restart = restart
        self._lock = FileLock(f"{path}.lock")
        # Results may be kept while another thread is about to write the first files.
        self._use = RLock()
        self._database: sqlite3.Connection | None = None
        self._replaces_older = False
        self._asked: dict[str, str] = {}
        self.discarded: dict[str, bytes] = {}
        """What could be read of the results that a restart has forgotten, by key."""

    def __enter__(self) -> Self:
        """Open the ledger.

        Raises:
            OutputError: it cannot be opened, is of other settings, or another process is at work with it.
        """
        output_folder(self._path.parent)
        take_lock(self._lock, self._home, f"another run is at work here; give another {self._kind}")
        try:
            self._open()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _check_is_record(self) -> None:
        """Refuse what no run has written, which a restart would destroy.

        Raises:
            OutputError: it is there, and something else.
        """
        if not self._path.exists():
            return
        is_record = self._path.is_file()
        # In a folder of ours the name is ours too: whatever has become of that file, a restart helps.
        if is_record and self._is_named:
            tables: set[str] = set()
            try:
                with self._path.open("rb") as file:
                    is_record = file.read(len(_FIRST_BYTES)) in (b"", _FIRST_BYTES)
                with suppress(sqlite3.Error), closing(sqlite3.connect(self._path)) as database:
                    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type='table'")}
            except OSError as error:
                raise OutputError(f"{self._path}: cannot be read: {error.strerror}") from error
            is_record = is_record and tables in (set(), _TABLES)
        if not is_record:
            raise OutputError(f"{self._path}: not a record of what is done, but something else; give another file")

    def _open(self) -> None:
        self._check_is_record()
        self._replaces_older = self._restart and os.path.lexists(self._path)
        if self._restart:
            self.discarded = self._readable()
        try:
            self._database = _connected(":memory:" if self._replaces_older else self._path)
            self._database.executescript(_SCHEMA)
            row = self._database.execute("SELECT text FROM settings").fetchone()
            self._database.execute("SELECT key, file, result, maker FROM videos LIMIT 0")
            if row is None:
                with self._database:
                    self._database.execute("INSERT INTO settings VALUES (?)", (self._settings,))
            told = "" if row is None else difference(json.loads(row[0]), json.loads(self._settings))
        except (sqlite3.Error, ValueError, TypeError, AttributeError) as error:
            raise self.unusable(error) from error
        if told:
            raise OutputError(
                f"{self._home}: {told}; give another {self._kind} to `{self._option}`, or `restart=True` to start over"
            )

    def replace_older(self) -> None:
        """Put this ledger in the place of the older one that a restart forgets; once, whichever thread asks first.

        Called before the first result goes to disk: from here on nothing that is there counts as done.

        Raises:
            OutputError: it cannot be written.
        """
        with self._use:
            if not self._replaces_older:
                return
            new = self._path.with_name(f"{self._path.name}.new")
            try:
                new.unlink(missing_ok=True)
                with closing(_connected(new)) as copy:
                    self._connection.backup(copy)
                # Left by a run that was killed, it would be taken for the new one's.
                Path(f"{self._path}-journal").unlink(missing_ok=True)
                atomic_replace(new, self._path)
                database = _connected(self._path)
            except (sqlite3.Error, OSError) as error:
                raise OutputError(f"{self._path}: cannot be written: {error}") from error
            finally:
                new.unlink(missing_ok=True)
            self._connection.close()
            self._database = database
            self._replaces_older = False

    def _readable(self) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        if self._path.is_file():
            with suppress(sqlite3.Error, OutputError), closing(sqlite3.connect(self._path)) as database:
                for key, result in database.execute(_RESULTS):
                    found[str(key)] = self._checked(result)
        return found

    def unusable(self, error: Exception) -> OutputError:
        """Return the error for a record that is damaged, such as a result that cannot be read."""
        if getattr(error, "sqlite_errorcode", None) in (
            sqlite3.SQLITE_FULL,
            sqlite3.SQLITE_IOERR_WRITE,
            sqlite3.SQLITE_READONLY,
        ):
            return OutputError(f"{self._path}: cannot be written: {error}")
        return OutputError(
            f"{self._path}: cannot be used as the record of what is done ({parse_failure(error)}); "
            f"`restart=True` starts over, or give another {self._kind}"
        )

    def __exit__(self, *exception: object) -> None:
        """Close the ledger and let others have it."""
        if self._database is not None:
            self._database.close()
            self._database = None
        self._lock.release()

    def load(self, key: str, path: Path, *, ignore_path: bool = False) -> bytes | None:
        """Return the result of a video, or None if it is not done or its file has changed since.

        Args:
            key: of the video.
            path: its file, or folder of frames.
            ignore_path: whether the same file under another path will do.

        Raises:
            OutputError: the record is damaged.
        """
        # Kept for `store`: a file that changes while it is worked on is not the one that is done.
        identity = self._asked[key] = file_identity(path)
        found = self._row(key)
        if found is None:
            return None
        file, result = found
        return result if file == identity or (ignore_path and _is_same_elsewhere(file, identity)) else None

    def result(self, key: str) -> bytes | None:
        """Return the result of a video, whatever became of its file; None if there is none.

        Raises:
            OutputError: the record is damaged.
        """
        found = self._row(key)
        return None if found is None else found[1]

    def makers(self, keys: Iterable[str]) -> list[dict[str, str]]:
        """Return what made the results of these videos: each once, sorted.

        Raises:
            OutputError: the record is damaged.
        """
        wanted = set(map(escaped, keys))
        try:
            rows = list(self._connection.execute("SELECT key, maker FROM videos"))
            return [json.loads(maker) for maker in sorted({str(maker) for key, maker in rows if key in wanted})]
        except (sqlite3.Error, ValueError) as error:
            raise self.unusable(error) from error

    def _row(self, key: str) -> tuple[str, bytes] | None:
        try:
            row = self._connection.execute("SELECT file, result FROM videos WHERE key = ?", (escaped(key),)).fetchone()
        except sqlite3.Error as error:
            raise self.unusable(error) from error
        return None if row is None else (str(row[0]), self._checked(row[1]))

    def _checked(self, result: object) -> bytes:
        # SQLite keeps values of any type in any column.
        if not isinstance(result, bytes):
            raise self.unusable(ValueError(f"a result that is no bytes but {type(result).__name__}"))
        return result

    def store(self, key: str, path: Path, result: bytes) -> None:
        """Keep the result of a video, as its file was when it was asked for; it is on disk when this returns.

        Raises:
            OutputError: it cannot be written.
        """
        self.replace_older()
        self.update({key: (path, result)})

    def update(self, results: Mapping[str, tuple[Path, bytes]], forget: Iterable[str] = ()) -> None:
        """Keep the results of several videos, given by key with their paths, and forget others, all or nothing.

        Raises:
            OutputError: it cannot be written.
        """
        rows = [
            (escaped(key), self._asked.get(key) or file_identity(path), content, self._maker)
            for key, (path, content) in results.items()
        ]
        with self._writing() as database:
            database.executemany("DELETE FROM videos WHERE key = ?", [(escaped(key),) for key in forget])
            database.executemany("INSERT OR REPLACE INTO videos VALUES (?, ?, ?, ?)", rows)

    def move(self, old: str, new: str, path: Path, result: bytes) -> None:
        """Give a video's result another key, file and content; what made it stays.

        Raises:
            OutputError: it cannot be written.
        """
        row = (escaped(new), file_identity(path), result, escaped(old))
        with self._writing() as database:
            database.execute("UPDATE OR REPLACE videos SET key = ?, file = ?, result = ? WHERE key = ?", row)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._use, self._connection as database:
                yield database
        except sqlite3.Error as error:
            raise OutputError(f"{self._path}: cannot be written: {error}; what is done is kept") from error

    def is_same_elsewhere(self, key: str, path: Path) -> bool:
        """Tell whether a file is the one that a result is of, by all but its path.

        Raises:
            OutputError: the record is damaged.
        """
        found = self._row(key)
        return found is not None and _is_same_elsewhere(found[0], file_identity(path))

    def results(self) -> Iterator[tuple[str, bytes]]:
        """Yield the key and result of every video, whatever became of its file.

        Raises:
            OutputError: the record is damaged.
        """
        try:
            for key, result in self._connection.execute(_RESULTS):
                yield str(key), self._checked(result)
        except sqlite3.Error as error:
            raise self.unusable(error) from error

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._database is None:
            raise OutputError(f"{self._path}: the record of what is done is closed")
        return self._database


def file_identity(path: Path) -> str:
    """Return what tells whether a file, or a folder of frames, is still the one it was.

    Its place, size, time of change, and three samples of what is in it: tools that unpack archives may give many files
    one time. Of a folder it is the same of every file in it that is not hidden: a frame that is written over in place
    changes neither the folder's own time nor the number of its frames. What is not there, such as an address, is
    always the same.
    """
    state = path_state(path)
    return ABSENT if state == ABSENT else f"{escaped(str(path.absolute()))}\n{state}"


def _text(values: Mapping[str, Any]) -> str:
    return json.dumps(dict(values), sort_keys=True, ensure_ascii=False)


def _connected(path: Path | str) -> sqlite3.Connection:
    # One thread at a time uses it, as the ledger sees to.
    return sqlite3.connect(path, check_same_thread=False)


def _is_same_elsewhere(one: str, other: str) -> bool:
    state = one.rpartition("\n")[2]
    return state != ABSENT and state == other.rpartition("\n")[2]

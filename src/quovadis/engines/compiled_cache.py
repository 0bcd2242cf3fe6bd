"""Compiled graphs kept for the next start.

OpenVINO has a cache of its own, but maps its files into memory and rewrites them in place: of several processes that
start at once one may die of it. Here a file appears whole under its name, is read into memory, and is checked before
use. It begins with the SHA-256 of the rest, then the length of its key in two bytes, and the key.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

_SUFFIX = ".graph"
_DIGEST_BYTES = hashlib.sha256().digest_size
_LENGTH_BYTES = 2
_MAX_FILES = 8
"""About 51 MB each; the oldest go first."""


class CompiledGraphCache:
    """A folder of compiled graphs by key. Whatever goes wrong with it costs a compilation and nothing else."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _path(self, key: str) -> Path:
        return self._folder / (hashlib.sha256(key.encode()).hexdigest()[:32] + _SUFFIX)

    def load(self, key: str) -> bytes | None:
        """Return the graph that was stored under `key`, or None if there is none or its checksum does not hold."""
        path = self._path(key)
        try:
            with path.open("rb") as file:
                digest, rest = file.read(_DIGEST_BYTES), file.read()
        except OSError:
            return None
        is_whole = hashlib.sha256(rest).digest() == digest and rest.startswith(_header(key))
        return rest[len(_header(key)) :] if is_whole else None

    def store(self, key: str, graph: bytes | memoryview) -> None:
        """Keep `graph` under `key`; a folder that cannot be written is said on stderr."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(suffix=".part", dir=self._folder)
            try:
                digest = hashlib.sha256(_header(key))
                digest.update(graph)
                with os.fdopen(descriptor, "wb") as file:
                    file.writelines((digest.digest(), _header(key), graph))
                Path(name).replace(self._path(key))
            except OSError:
                Path(name).unlink(missing_ok=True)
                raise
            self._prune()
        except OSError as error:
            sys.stderr.write(f"quovadis: the compiled graph is not cached: {self._folder}: {error.strerror}\n")

    def stored(self) -> Iterator[tuple[Path, str]]:
        """Yield each file and the key that its graph was stored under; "" where it does not tell."""
        for path in sorted(self._folder.glob("*" + _SUFFIX)):
            try:
                with path.open("rb") as file:
                    file.seek(_DIGEST_BYTES)
                    key = file.read(int.from_bytes(file.read(_LENGTH_BYTES))).decode()
            except (OSError, UnicodeDecodeError):
                key = ""
            yield path, key if path == self._path(key) else ""

    def _prune(self) -> None:
        files = sorted(self._folder.glob("*" + _SUFFIX), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in files[_MAX_FILES:]:
            path.unlink(missing_ok=True)


def _header(key: str) -> bytes:
    encoded = key.encode()
    return len(encoded).to_bytes(_LENGTH_BYTES) + encoded

